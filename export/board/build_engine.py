#!/usr/bin/env python3
"""Builds a TensorRT engine of model.onnx on the board where it will run.

    python3 build_engine.py

It stands beside model.onnx, needs nothing but Python 3.6 or newer and TensorRT, finds `trtexec`,
picks its flags by the version of TensorRT, says what it calls and writes model.engine. An engine
fits one GPU and one version of TensorRT: build it again after an upgrade.
"""
# ruff: noqa: UP006, UP035, UP045  (JetPack 4.6 has Python 3.6)

import argparse
import json
import logging
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

Version = Tuple[int, int]

TRTEXEC_FOLDERS = ("/usr/src/tensorrt/bin", "/usr/local/tensorrt/bin")
BOARD_NAME_FILE = Path("/proc/device-tree/model")
WORKSPACE_MIB = 1024
PRECISIONS = ("auto", "int8", "fp16", "fp32")

_LOG = logging.getLogger("build_engine")


class BuildError(Exception):
    """What the user can mend; its message says how."""


def parse_banner(text: str) -> Optional[Version]:
    """TensorRT's version from trtexec's first line, `... [TensorRT v8201] ...`.

    Until 9 the number is 1000 * major + 100 * minor + patch, since then 10000 * major + ...
    """
    found = re.search(r"TensorRT[ .]v(\d+)", text)
    if not found:
        return None
    number = int(found.group(1))
    base = 10000 if number >= 100000 else 1000
    return number // base, number % base // 100


def parse_version(text: str) -> Version:
    """The first two numbers of a version, such as 8.2.1.9."""
    found = re.match(r"(\d+)\.(\d+)", text)
    if not found:
        raise BuildError(f"a version is like 8.2, found {text!r}")
    return int(found.group(1)), int(found.group(2))


def lacks_int8(board: str) -> bool:
    """Whether a board's GPU has no arithmetic of 8 bits: Jetson Nano, TX1 and TX2."""
    return re.search("(?i)tx[12]|^(?!.*orin).*nano", board) is not None


def choose_precision(wanted: str, contract: Dict[str, Any], board: str) -> str:
    """The arithmetic of the engine: the contract's integers, or half precision."""
    has_pairs = contract["precision"] == "int8"
    if has_pairs and lacks_int8(board):
        raise BuildError(
            f"{board} has no int8: export the network with --precision float32, this program then "
            "builds it in half precision"
        )
    if wanted == "auto":
        return "int8" if has_pairs else "fp16"
    if has_pairs != (wanted == "int8"):
        raise BuildError(
            "model.onnx was exported with --precision {}, which does not build as {}; "
            "leave --precision out".format(contract["precision"], wanted)
        )
    return wanted


def check_version(version: Version, report: Dict[str, Any]) -> None:
    """Refuses a TensorRT that is too old for the file."""
    needed = report["tensorrt_at_least"]
    if version < parse_version(needed):
        raise BuildError(
            "model.onnx has opset {}, which needs TensorRT {}; here is {}.{}: export it again with "
            "--opset 13{}".format(
                report["opset"],
                needed,
                version[0],
                version[1],
                "" if version >= (8, 2) else " and upgrade JetPack to 4.6 or newer",
            )
        )


def trtexec_arguments(
    version: Version, precision: str, onnx: str, engine: str, workspace_mib: int
) -> List[str]:
    """The command line behind `trtexec` for a version of TensorRT."""
    # 8.4 renamed it, 10 took the old name away.
    workspace = "--memPoolSize=workspace:{}" if version >= (8, 4) else "--workspace={}"
    # 11 has none: the file says it. What has no pair runs in half precision in an int8 engine too.
    flags = {"int8": ["--fp16", "--int8"], "fp16": ["--fp16"]} if version[0] < 11 else {}
    ends = ["--onnx=" + onnx, "--saveEngine=" + engine, workspace.format(workspace_mib)]
    return ends + flags.get(precision, [])


def find_trtexec(given: Optional[str]) -> str:
    """The program's path."""
    names = [given] if given else ["trtexec", *(f"{f}/trtexec" for f in TRTEXEC_FOLDERS)]
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise BuildError(
        "trtexec is not in {}: it comes with JetPack (sudo apt install nvidia-jetpack); where it "
        "stands elsewhere, give --trtexec PATH".format(given or "PATH or " + TRTEXEC_FOLDERS[0])
    )


def find_version(trtexec: str) -> Version:
    """TensorRT's version as trtexec says it."""
    done = subprocess.run(
        [trtexec, "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,  # noqa: UP021  (text came with 3.7)
        check=False,
    )
    version = parse_banner(done.stdout)
    if version is None:
        raise BuildError(
            f"{trtexec} does not say its version; give it by --tensorrt, such as --tensorrt 8.2 "
            "(dpkg -l tensorrt says it)"
        )
    return version


def refuse_constant(name: str) -> None:
    """JSON has no NaN and no Infinity, which Python would read."""
    raise ValueError(name + " is no number")


def read_json(path: Path) -> Dict[str, Any]:
    """One of the export's files."""
    try:
        text = path.read_text(encoding="utf-8")
        return dict(json.loads(text, parse_constant=refuse_constant))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BuildError(f"{path}: {error}; copy the whole folder of the export") from error


def read_board() -> str:
    """The board's name as the kernel has it; empty where there is none."""
    try:
        return BOARD_NAME_FILE.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def run(options: argparse.Namespace) -> int:
    """Builds; returns trtexec's status."""
    folder = Path(options.folder)
    contract = read_json(folder / "model.json")
    report = read_json(folder / "parity.json")
    precision = choose_precision(options.precision, contract, read_board())
    trtexec = find_trtexec(options.trtexec)
    version = parse_version(options.tensorrt) if options.tensorrt else find_version(trtexec)
    check_version(version, report)
    if version[0] >= 11 and precision == "fp16":
        _LOG.warning(
            "TensorRT 11 takes the precision from the file: this engine is float32. For half "
            "precision convert model.onnx first (python -m modelopt.onnx.autocast)"
        )
    onnx = folder / contract["artefact"]
    engine = folder / options.engine
    # Not in its place until it is whole.
    unfinished = engine.with_name(engine.name + ".part")
    command = [
        trtexec,
        *trtexec_arguments(version, precision, str(onnx), str(unfinished), options.workspace_mib),
    ]
    _LOG.info("TensorRT %d.%d, %s: this takes minutes, on a Nano half an hour", *version, precision)
    _LOG.info("%s", " ".join(command))
    if options.dry_run:
        return 0
    status = subprocess.call(command)
    if status or not unfinished.is_file():
        _LOG.error("trtexec failed (status %d); its own messages above say why", status)
        return status or 1
    unfinished.replace(engine)
    _LOG.info("wrote %s; next: python3 run_engine.py --check", engine)
    return 0


def main() -> int:
    """The program."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parent
    parser.add_argument("--folder", default=here, help="of model.onnx (default: this program's)")
    parser.add_argument("--engine", default="model.engine", help="name of what is written")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--workspace_mib", type=int, default=WORKSPACE_MIB)
    parser.add_argument("--trtexec", help="its path")
    parser.add_argument("--tensorrt", help="its version, where trtexec does not say it")
    parser.add_argument("--dry_run", action="store_true", help="say the command, do not run it")
    try:
        return run(parser.parse_args())
    except BuildError as error:
        _LOG.error("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
