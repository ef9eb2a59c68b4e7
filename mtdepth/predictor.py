"""One way from a picture to metres and classes, whatever file the network is in."""

import dataclasses
from pathlib import Path

from mtdepth.contract import MININET
from mtdepth.files import UserError
from mtdepth.geometry.depth_codec import SigmoidDisparityCodec
from mtdepth.pretrained.names import exported_file
from mtdepth.runtime.formats import FORMATS, open_artefact
from mtdepth.runtime.pipeline import Pipeline
from mtdepth.workdir import Checkpoint, Workdir


def open_predictor(
    path: Path | str,
    *,
    decoder: str | None = None,
    checkpoint: Checkpoint = "best",
    num_threads: int = 2,
) -> Pipeline:
    """Opens a trained network.

    Args:
      path: A workdir of `mtdepth.train`, a `.tflite` or `.onnx` file, its contract beside it, or
        a name of `mtdepth.pretrained`.
      decoder: Size to detach from a workdir's network, or to open of a file with several; None for
        the one that was trained, or the largest.
      checkpoint: Which weights of a workdir.
      num_threads: Of an exported file's interpreter.

    Returns:
      A pipeline; `predict(image_rgb, camera=...)` takes an RGB picture of any size.

    Raises:
      FileNotFoundError: If there is no such workdir, checkpoint, file or contract.
      DataError: If a file is damaged or does not fit the others.
      UserError: If the path is of no known kind, or the decoder is not in it.
    """
    path = exported_file(path, precision="float32")
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such model; give a workdir of `python -m mtdepth.train` "
            "or a file of `python -m export.tflite` or `export.onnx`"
        )
    if path.is_dir():
        # Here, so that opening a .tflite file does not load TensorFlow.
        from mtdepth.trained import load_trained

        trained = load_trained(Workdir(path), size=decoder, checkpoint=checkpoint)
        return Pipeline(trained)
    if (suffix := path.suffix.lower()) not in FORMATS:
        raise UserError(f"{path}: a model is a workdir or a {' or '.join(FORMATS)} file")
    sizes = open_artefact(path, num_threads=num_threads)
    size = decoder or next(iter(sizes))
    if size not in sizes:
        raise UserError(
            f"{path} holds decoder {', '.join(sizes)}, not {size}: an exported network "
            f"cannot be cut any more; `python -m {FORMATS[suffix].exporter} --decoder {size}` "
            "exports that"
        )
    return Pipeline(sizes[size])


def open_unscaled(workdir: Workdir, *, checkpoint: Checkpoint) -> Pipeline:
    """Opens a network that learned from video as if the metres of its depth 1 were one.

    Its answers are comparable between cameras, which those of a network without a scale are not.

    Raises:
      FileNotFoundError: If there is no such run or checkpoint.
      DataError: If the weights are damaged.
      UserError: If the run did not learn from video.
    """
    from mtdepth.trained import load_trained

    trained = load_trained(workdir, checkpoint=checkpoint)
    if trained.family != MININET:
        raise UserError(f"{workdir.path} holds a student, whose depth is metric already")
    codec = SigmoidDisparityCodec(scale=1.0)
    return Pipeline(dataclasses.replace(trained, codec=codec, scale_source="one"))
