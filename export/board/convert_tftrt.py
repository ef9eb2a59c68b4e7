#!/usr/bin/env python3
"""Turns a SavedModel of `python -m export.tftrt` into one that runs in TensorRT, on the board.

    python3 convert_tftrt.py --output converted

It stands in the SavedModel's folder and needs Python 3.6 or newer and NVIDIA's TensorFlow for
JetPack (2.7 or newer); TensorFlow from PyPI has no TensorRT. It builds the engines, compares the
result with the original on a picture of noise, and writes the new SavedModel with its contract.
"""
# ruff: noqa: UP006, UP035, UP045  (JetPack 4.6 has Python 3.6)

import argparse
import hashlib
import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

SIGNATURE = "serving_default"
CONTRACT = "saved_model.json"
# Half precision rounds by 2^-11 in every layer; a wrong conversion is off by tens of percent.
MAX_MEDIAN_DEVIATION = 0.02

_LOG = logging.getLogger("convert_tftrt")


class ConvertError(Exception):
    """What the user can mend; its message says how."""


def load_tensorrt() -> Any:
    """TF-TRT's module, where this TensorFlow has TensorRT inside."""
    try:
        tensorflow = importlib.import_module("tensorflow")
        built = importlib.import_module("tensorflow.compiler.tf2tensorrt._pywrap_py_utils")
        is_built = built.is_tensorrt_enabled()
    except ImportError as error:
        raise ConvertError(
            f"TensorFlow cannot be imported ({error}): install NVIDIA's for your JetPack"
        ) from error
    if not is_built:
        raise ConvertError(
            f"TensorFlow {tensorflow.__version__} here has no TensorRT inside: run this on the "
            "board with NVIDIA's TensorFlow for JetPack, or use the ONNX export, which needs none"
        )
    return importlib.import_module("tensorflow.python.compiler.tensorrt.trt_convert")


def open_converter(trt: Any, folder: Path, precision: str, workspace_mib: int) -> Any:
    """The converter; how it is told the precision changed after TensorFlow 2.7."""
    options = {"precision_mode": precision, "max_workspace_size_bytes": workspace_mib << 20}
    try:
        return trt.TrtGraphConverterV2(input_saved_model_dir=str(folder), **options)
    except TypeError:
        params = trt.TrtConversionParams(**options)
        return trt.TrtGraphConverterV2(input_saved_model_dir=str(folder), conversion_params=params)


def refuse_constant(name: str) -> None:
    """JSON has no NaN and no Infinity, which Python would read."""
    raise ValueError(name + " is no number")


def read_contract(folder: Path) -> Dict[str, Any]:
    """The side-car of the SavedModel; refuses one of another SavedModel."""
    path = folder / CONTRACT
    try:
        text = path.read_text(encoding="utf-8")
        contract = dict(json.loads(text, parse_constant=refuse_constant))
        digest = hashlib.sha256((folder / contract["artefact"]).read_bytes()).hexdigest()
        if digest != contract["sha256"]:
            raise ConvertError(f"{path}: is of another SavedModel; copy the whole folder again")
    except (OSError, ValueError, TypeError, RecursionError, KeyError) as error:
        raise ConvertError(f"{path}: {error!r}; copy the whole folder of the export") from error
    return contract


def converted_contract(contract: Dict[str, Any], folder: Path, precision: str) -> Dict[str, Any]:
    """The contract of the converted SavedModel."""
    digest = hashlib.sha256((folder / contract["artefact"]).read_bytes()).hexdigest()
    name = {"FP16": "float16", "FP32": "float32"}[precision]
    return dict(contract, sha256=digest, precision=name)


def deviation(expected: Any, found: Any) -> float:
    """Median of |found - expected| / expected of two depth maps."""
    numpy = importlib.import_module("numpy")
    return float(numpy.median(numpy.abs(found - expected) / expected))


def run(options: argparse.Namespace) -> int:
    """Converts; returns the exit status."""
    trt = load_tensorrt()
    contract = read_contract(options.folder)
    tensorflow = importlib.import_module("tensorflow")
    shape = contract["input"]["shape"]
    noise = tensorflow.cast(
        tensorflow.random.uniform(shape, 0, 256, tensorflow.int32, seed=1), tensorflow.uint8
    )

    def pictures() -> Iterator[List[Any]]:
        yield [noise]

    converter = open_converter(trt, options.folder, options.precision, options.workspace_mib)
    _LOG.info("finding what TensorRT takes over")
    converter.convert()
    _LOG.info("building its engines in %s: this takes minutes", options.precision)
    converter.build(input_fn=pictures)
    converter.save(str(options.output))
    depths = []
    for folder in (options.folder, options.output):
        module = tensorflow.saved_model.load(str(folder))
        outputs = module.signatures[SIGNATURE](**{contract["input"]["name"]: noise})
        depths.append(outputs["depth_m"].numpy())
    found = deviation(*depths)
    if not found <= MAX_MEDIAN_DEVIATION:
        raise ConvertError(
            f"the converted network's depth is {100 * found:.1f} % off: do not use {options.output}"
        )
    written = converted_contract(contract, options.output, options.precision)
    (options.output / CONTRACT).write_text(json.dumps(written, indent=2), encoding="utf-8")
    _LOG.info("wrote %s; depth is %.2g %% off the original", options.output, 100 * found)
    return 0


def parse(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent
    parser.add_argument("--folder", type=Path, default=here, help="SavedModel (default: here)")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--precision", choices=("FP16", "FP32"), default="FP16")
    parser.add_argument("--workspace_mib", type=int, default=512)
    return parser.parse_args(arguments)


def main() -> int:
    """The program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    options = parse()
    try:
        return run(options)
    except ConvertError as error:
        _LOG.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
