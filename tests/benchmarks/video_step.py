"""Where the time of a training step of MiniNet from video goes, variant by variant, on TensorFlow.

    python tests/benchmarks/video_step.py --height 192 --width 640 --batch 6 --pose_encoder resnet18

Milliseconds of wall time, and of CPU time of all threads for machines that others use, too: the
median of rounds in which the parts take turns. Each variant is a process of its own, so that the
peak of memory is its alone.

`data`: a batch decoded from PNG, fitted and varied, with nothing else running. `depth`, `pose`: the
networks' forward passes. `warp`: the loss of four scales, forward and back to depths and motion.
`step`: the whole. `backward`: what is left of it, the networks' gradients and Adam.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measured import _peak_mb, child

VARIANTS = ("original", "medium", "small")
COLUMNS = ("data", "depth", "pose", "warp", "backward", "step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--pose_encoder", default="resnet18", choices=("resnet18", "light"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--only", choices=VARIANTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        sys.stdout.write(json.dumps(measure(given)) + "\n")
        return
    names = ("height", "width", "batch", "pose_encoder", "rounds")
    arguments = [f"--{name}={getattr(given, name)}" for name in names]
    lines = [f"| variant | {' | '.join(COLUMNS)} | first s | peak MB |"]
    lines.append("| --- " * (len(COLUMNS) + 3) + "|")
    for variant in given.variants.split(","):
        found = child(__file__, *arguments, f"--only={variant}", num_threads=given.threads)
        for kind in ("wall", "CPU"):
            numbers = " | ".join(f"{found[f'{kind} {name}']:.0f}" for name in COLUMNS)
            rest = f"{found['first_s']:.0f} | {found['peak_mb']:.0f}" if kind == "wall" else " | "
            lines.append(f"| {variant}, {kind} ms | {numbers} | {rest} |")
    size = f"{given.height} x {given.width}, batch {given.batch}, pose {given.pose_encoder}"
    sys.stdout.write(f"{size}, {given.threads} threads\n\n" + "\n".join(lines) + "\n")


def measure(given: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        calls = parts(given, Path(folder))
        start_s = time.perf_counter()
        for call in calls.values():
            call()
        first_s = time.perf_counter() - start_s
        spent_ms: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
        for _ in range(given.rounds):
            for name, call in calls.items():
                start_s, start_cpu_s = time.perf_counter(), time.process_time()
                call()
                wall_s = time.perf_counter() - start_s
                spent_ms[name].append((1000 * wall_s, 1000 * (time.process_time() - start_cpu_s)))
    found = {"first_s": first_s, "peak_mb": _peak_mb()}
    for index, kind in enumerate(("wall", "CPU")):
        ms = {name: statistics.median(e[index] for e in each) for name, each in spent_ms.items()}
        ms["backward"] = ms["step"] - ms["depth"] - ms["pose"] - ms["warp"]
        found |= {f"{kind} {name}": value for name, value in ms.items()}
    return found


def parts(given: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Any]]:
    """The parts of a step by name, the whole last."""
    import keras
    import tensorflow as tf

    from mtdepth.losses.video import VideoLossWeights, target_to_sources, video_loss
    from mtdepth.recipes.registry import find_video_recipe
    from mtdepth.specs.mininet import MiniNetSpec
    from mtdepth.training.step import TrainingStep
    from mtdepth.training.video_networks import build_networks
    from mtdepth.training.video_objective import VideoObjective

    recipe = dataclasses.replace(
        find_video_recipe("mininet_kitti"),
        name="benchmark",
        mininet=MiniNetSpec(variant=given.only),
        input_size_px=(given.height, given.width),
        pose_encoder=given.pose_encoder,
        batch_size=given.batch,
        num_epochs=1,
        pose_weights="none",
        min_flow_px=0.0,
    )
    stream = batches(recipe, folder)
    batch = next(stream)
    networks = build_networks(recipe)
    step = TrainingStep(
        networks,
        VideoObjective(networks, recipe).losses,
        keras.optimizers.Adam(recipe.learning_rate),
        clip_norm=recipe.clip_norm,
    )
    frames, K = tf.constant(batch["frames"], tf.float32) / 255, tf.constant(batch["intrinsics"])
    pairs = tf.concat([frames[:, :2], frames[:, 1:]], axis=-1)
    pairs = tf.reshape(pairs, (-1, given.height, given.width, 6))
    depth = tf.function(lambda: networks.depth_net(frames[:, 1], training=True))
    pose = tf.function(lambda: networks.pose_net(pairs, training=True))
    codes = [tf.Variable(code) for code in depth().values()]
    motion = tf.Variable(tf.reshape(pose(), (-1, 2, 6)))
    weights = VideoLossWeights(
        ssim=0.85, smoothness=0.001, sharpness=10.0, scale_decay=1.0, auto_mask=False
    )

    @tf.function(jit_compile=False)
    def warp() -> Any:
        with tf.GradientTape() as tape:
            motions = target_to_sources(motion)
            total = video_loss(codes, frames, K, motions, weights)[0]
        return tape.gradient(total, [*codes, motion])

    return {
        "data": lambda: next(stream),
        "depth": depth,
        "pose": pose,
        "warp": warp,
        "step": lambda: step.take(batch, rate=recipe.learning_rate),
    }


def batches(recipe: Any, folder: Path) -> Any:
    """Endless batches of a synthetic video at the network's size."""
    import cv2
    from fakes.panned_video import CAMERA, pan, shot_of, source_of, write_frames

    from mtdepth.data.triplet_selection import select_triplets
    from mtdepth.data.video_batches import VideoBatches

    height_px, width_px = recipe.input_size_px
    pictures = [cv2.resize(p, (width_px, height_px)) for p in pan(range(0, 120, 6))]
    camera = CAMERA.resized(width_px=width_px, height_px=height_px)
    triplets = select_triplets(
        [source_of(shot_of(write_frames(folder / "frames", pictures), camera=camera))],
        size_px=recipe.input_size_px,
        fit=recipe.fit,
        min_flow_px=0.0,
        cache_dir=folder / "cache",
    )
    return VideoBatches(triplets, recipe).from_step(0)


if __name__ == "__main__":
    main()
