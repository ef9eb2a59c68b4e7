r"""Exports a trained network as a SavedModel for TensorFlow with TensorRT (TF-TRT) on a Jetson.

Full example, the large decoder of a run:

    python -m export.tftrt --workdir runs/multitask_kitti --decoder L \
        --height 320 --width 480 --output runs/export_l_tftrt

The folder is a SavedModel of one plain function with its weights inside, which TensorFlow from 2.7
on loads; `saved_model.json` is its contract, `parity.json` says how far it is from the Keras
network. Copy it to the board; there, with NVIDIA's TensorFlow for JetPack,

    python3 convert_tftrt.py --output converted

TensorFlow from PyPI has no TensorRT inside: there that program says so and stops. TF-TRT is no
longer developed; for a new project take `python -m export.onnx`.
"""

from absl import logging

from export.request import asked_for, define_flags
from mtdepth import program

define_flags(default_output="tftrt_<decoder>", calibrates=False, ids_are_found="in the graph")


def main() -> None:
    """Exports."""
    request = asked_for("tftrt_{decoder}")
    # TensorFlow takes seconds to load, which a wrong flag should not cost.
    from export.tftrt.target import FILE_NAME, export_saved_model

    request.export(export_saved_model, FILE_NAME)
    logging.info("on the board: python3 convert_tftrt.py --output converted")


if __name__ == "__main__":
    program.run(main)
