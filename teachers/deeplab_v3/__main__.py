r"""Classifies one picture by DeepLab.

Full example:

    python -m teachers.deeplab_v3 --weights runs/deeplab/best.keras --image street.png \
        --output train_ids.png --picture overlay.png --flip --scales 0.75,1,1.25

`--weights` is a network of `python -m teachers.train deeplab_v3`, or a published Cityscapes graph
(`frozen_inference_graph.pb`, or the .tar.gz that it comes in). The output is a one-channel uint8
PNG of Cityscapes train ids, 0..18, 255 where the network is less sure than --confidence_floor.
"""

import time
from pathlib import Path

import numpy as np
from absl import flags, logging

from mtdepth import program
from mtdepth.datasets.label_map import CLASS_NAMES, IGNORE_ID
from mtdepth.files import UserError
from mtdepth.pictures import read_rgb, write_png
from teachers.deeplab_v3.teacher import DeepLabTeacher
from teachers.interface import Image

FLAGS = flags.FLAGS
flags.DEFINE_string("weights", None, "Saved network, or published frozen graph.", required=True)
flags.DEFINE_string("image", None, "Picture, PNG or JPEG.", required=True)
flags.DEFINE_string("output", None, "PNG of train ids to write.", required=True)
flags.DEFINE_string("picture", None, "PNG to write of the classes' colours over the picture.")
flags.DEFINE_bool("flip", False, "Averages with the mirrored picture.")
flags.DEFINE_list("scales", "1", "Sizes to average over, in parts of the picture's.")
flags.DEFINE_float("confidence_floor", 0.0, "Less sure pixels get 255.")


def main() -> None:
    """Reads, classifies, writes."""
    _check_flags()
    image = read_rgb(Path(FLAGS.image))
    teacher = DeepLabTeacher(
        Path(FLAGS.weights),
        flip=FLAGS.flip,
        scales=_scales(FLAGS.scales),
        confidence_floor=FLAGS.confidence_floor,
    )
    logging.info("%s", teacher.version)
    start_s = time.perf_counter()
    train_id = teacher.train_ids(image)
    logging.info("%.1f s with loading; %s", time.perf_counter() - start_s, _shares(train_id))
    write_png(Path(FLAGS.output), train_id)
    logging.info("wrote %s", FLAGS.output)
    if FLAGS.picture:
        # Loads matplotlib.
        from mtdepth.reporting import overlay

        write_png(Path(FLAGS.picture), overlay(image, train_id))
        logging.info("wrote %s", FLAGS.picture)


def _check_flags() -> None:
    for flag in ("output", "picture"):
        name = FLAGS[flag].value
        if name and Path(name).suffix != ".png":
            raise UserError(f"--{flag} must end in .png, got {name}")
    if not Path(FLAGS.image).is_file():
        raise FileNotFoundError(f"--image {FLAGS.image}: no such file")


def _scales(texts: list[str]) -> tuple[float, ...]:
    try:
        return tuple(float(text) for text in texts)
    except ValueError as error:
        raise UserError(f"--scales are numbers with commas between, got {texts}") from error


def _shares(train_id: Image) -> str:
    """The classes found, most frequent first, with their share of the picture."""
    names = {**dict(enumerate(CLASS_NAMES)), IGNORE_ID: "ignored"}
    shares = {name: float(np.mean(train_id == index)) for index, name in names.items()}
    found = sorted(((share, name) for name, share in shares.items() if share > 0), reverse=True)
    return ", ".join(f"{name} {share:.1%}" for share, name in found)


if __name__ == "__main__":
    program.run(main)
