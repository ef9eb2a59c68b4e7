"""A short training from video whose numbers can be compared between Keras's back ends.

As a program, `python video_training.py FOLDER`, it trains on the back end of $KERAS_BACKEND and
writes what each step found to `FOLDER/found.json`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from fakes.panned_video import pan, shot_of, source_of, write_frames
from fakes.video_networks import tiny_networks, tiny_video_recipe

from mtdepth.data.triplet_selection import select_triplets
from mtdepth.recipes.video import VideoRecipe
from mtdepth.training import video_run
from mtdepth.training.video_networks import VideoNetworks
from mtdepth.workdir import Workdir


def known_networks(recipe: VideoRecipe) -> VideoNetworks:
    """Tiny networks with the same weights on every back end."""
    networks, rng = tiny_networks(recipe), np.random.default_rng(7)
    networks.set_weights([0.05 * rng.random(np.shape(w)) for w in networks.get_weights()])
    return networks


def train(folder: Path) -> list[dict]:
    """Trains one epoch; returns losses and gradient norm of each step, and the epoch's scores."""
    recipe = tiny_video_recipe()
    triplets = select_triplets(
        [source_of(shot_of(write_frames(folder / "frames", pan(range(0, 60, 6)))))],
        size_px=recipe.input_size_px,
        fit=recipe.fit,
        min_flow_px=0.0,
        cache_dir=folder / "cache",
    )
    video_run.build_networks = known_networks
    workdir = Workdir(folder / "run")
    run = video_run.VideoRun(workdir, recipe, triplets, val_triplets=triplets)
    take, found = run._watched.take, []

    def remember(batch: dict, *, rate: float) -> object:
        result = take(batch, rate=rate)
        found.append(result.losses | {"gradient_norm": result.gradient_norm})
        return result

    run._watched.take = remember
    run.run()
    history = [json.loads(line) for line in workdir.history_path.read_text().splitlines()]
    scores = [{"val_loss": entry["val_loss"]} for entry in history]
    return [*found, *scores]


if __name__ == "__main__":
    (Path(sys.argv[1]) / "found.json").write_text(json.dumps(train(Path(sys.argv[1]))))
