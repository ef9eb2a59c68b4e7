"""The command `mtdepth`: one word for each program."""

import difflib
import runpy
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

# Word: the program that it runs, as `python -m` takes it, and what it does.
COMMANDS = {
    "predict": ("export.predict", "depth, classes, nearest obstacle of a photo, film or camera"),
    "auto": ("data_prep.auto", "all that follows in one line: recordings become an int8 file"),
    "label": ("data_prep.generate_teachers", "recordings become labels"),
    "train": ("mtdepth.train", "labels, or video, become a network"),
    "evaluate": ("mtdepth.evaluate", "scores by LiDAR or labels, beside baseline and others"),
    "make3d": ("mtdepth.evaluate_make3d", "scores on Make3D"),
    "reproduce": ("mtdepth.reproduce", "the papers' tables, row by row"),
    "report": ("mtdepth.report", "one page of a run, or of two side by side"),
    "export": ("export.tflite", "a network becomes a TFLite file: float32, float16, int8"),
    "device": ("export.device", "runs a file on a camera, with a page, obstacles, clouds"),
    "rig": ("data_prep.rig", "calibrates, rectifies, takes ROS bags: rig.json"),
    "doctor": ("data_prep.doctor", "what is wrong with recordings"),
    "world": ("data_prep.make_demo_world", "draws streets with exact truth"),
    "audit": ("data_prep.audit_teachers", "how good a teacher is, by LiDAR"),
    "bias": ("data_prep.fit_bias_table", "the table that corrects a stereo teacher"),
    "describe": ("mtdepth.describe", "layers, parameters, operations of a network"),
    "onnx": ("export.onnx", "a network becomes an ONNX file"),
    "tftrt": ("export.tftrt", "a network becomes a SavedModel for TF-TRT"),
    "qat": ("export.qat", "quantisation-aware tuning"),
    "prune": ("export.prune", "a network with zeros"),
    "benchmark": ("export.benchmark", "milliseconds, memory, heat of files"),
    "verify": ("export.verify", "whether this machine computes what the exporting one did"),
    "bundle": ("export.bundle", "all that a Raspberry Pi needs, in one file"),
    "metric-scale": ("mtdepth.metric_scale", "metres for a network that learned from video"),
    "ego-motion": ("mtdepth.ego_motion", "the camera's way, from video"),
    "teacher": ("teachers.train", "trains a teacher"),
}
_COMPLETION = """\
_mtdepth() {{
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{words} --help --version" -- "${{COMP_WORDS[1]}}"))
  fi
}}
complete -o default -F _mtdepth mtdepth
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs what the first word says; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    word = words[0] if words else ""
    if word in COMMANDS:
        module = COMMANDS[word][0]
        sys.argv[1:] = words[1:]
        # As `python -m` does: a worker process finds the program by the module's name.
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0
    if word == "--version":
        return _say(_version())
    if word == "--completion":
        return _say(_COMPLETION.format(words=" ".join(COMMANDS)))
    if word in ("", "-h", "--help", "help"):
        _say(_help())
        return 0 if word else 2
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    sys.stderr.write(
        f"mtdepth: no command {word!r}; "
        + (f"did you mean `mtdepth {near[0]}`?" if near else "`mtdepth --help` has them all")
        + "\n"
    )
    return 2


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    return "\n".join(
        [
            "usage: mtdepth COMMAND ...",
            "",
            *(f"  {word:{width}}{what}" for word, (_, what) in COMMANDS.items()),
            "",
            "  mtdepth predict photo.jpg           what a photo shows, in seconds",
            "  mtdepth COMMAND --help              every command's choices, with full examples",
            '  eval "$(mtdepth --completion)"      completes commands in bash',
            "",
            "Each is also a module: `mtdepth train` is `python -m mtdepth.train`.",
        ]
    )


def _version() -> str:
    try:
        return f"mtdepth {version('mtdepth')}"
    except PackageNotFoundError:
        return "mtdepth, not installed: run from its folder"


def _say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
