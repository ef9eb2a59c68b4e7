"""Pictures that a run keeps of its video."""

from pathlib import Path

import numpy as np
from fakes.panned_video import pan, shot_of, source_of, write_frames

from mtdepth.data.triplet_selection import select_triplets
from mtdepth.data.video_samples import write_samples
from mtdepth.pictures import read_rgb
from mtdepth.runtime.fitting import fit_image


def test_targets_are_kept_as_the_network_sees_them(tmp_path: Path) -> None:
    shot = shot_of(write_frames(tmp_path / "walk", pan(range(0, 40, 8))))
    triplets = select_triplets(
        [source_of(shot)], size_px=(32, 64), fit="crop", min_flow_px=0.0, cache_dir=tmp_path
    )
    write_samples(tmp_path / "samples", triplets, fit="crop")
    kept = sorted((tmp_path / "samples").iterdir())
    assert [path.name for path in kept] == ["000.png", "001.png", "002.png"]
    for path, number in zip(kept, (1, 2, 3), strict=True):
        expected = fit_image(shot.read(number), size=(32, 64), fit="crop")
        np.testing.assert_array_equal(read_rgb(path), expected)
    # Another start of the same run does not need the video for them.
    for path in shot.files.values():
        path.unlink()
    write_samples(tmp_path / "samples", triplets, fit="crop")
