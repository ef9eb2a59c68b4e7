r"""Is this data set complete and sane? Looks at every file before a teacher or a training does.

Full example, the frames of a list, with everything that was found as JSON:

    python -m data_prep.doctor --kitti_root KITTI --split splits/train.txt --json findings.json

Works on KITTI raw recordings and on another rig's (a folder with rig.json). Without --split all
drives are looked at, without --kitti_root the demo data or $MTDEPTH_KITTI_ROOT. Each check says how
much it looked at and how much it found, the first ten offenders and the remedy; a dash means that
there was nothing to look at, or too little for a verdict. The exit status is 1 where a check of
severity "error" found something: a program would fail on it or, worse, learn from it.
"""

import json
import os
import sys
from pathlib import Path

from absl import flags, logging

from data_prep.doctor.diagnosis import NUM_MATCHED, NUM_QUICK, diagnose
from mtdepth import defaults, program
from mtdepth.files import write_json

_KITTI_ROOT = flags.DEFINE_string(
    "kitti_root", None, "Recordings. Default: $MTDEPTH_KITTI_ROOT or the demo."
)
_SPLIT = flags.DEFINE_string("split", None, "Only these frames: a name or a list file.")
_QUICK = flags.DEFINE_bool(
    "quick",
    False,
    f"Read {NUM_QUICK} frames, evenly spread, and {NUM_MATCHED} of each drive; names of all.",
)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "Workers. Default: one a processor.", lower_bound=1
)
_JSON = flags.DEFINE_string("json", None, "File for all that was found; - for standard output.")


def main() -> int:
    """Examines; 1 if there is an error."""
    root = Path(_KITTI_ROOT.value or defaults.default_kitti_root())
    logging.info("recordings %s, split %s", root, _SPLIT.value or "none: all on disk")
    report = diagnose(
        root,
        split=_SPLIT.value,
        quick=_QUICK.value,
        num_processes=_NUM_PROCESSES.value or os.cpu_count() or 1,
    )
    if offenders := report.offenders():
        logging.info("found:\n\n%s\n", offenders)
    logging.info("checks:\n%s", report.table())
    if _QUICK.value:
        logging.info("--quick: only a sample was read, as many as the table says")
    content = {"kitti_root": str(root), "split": _SPLIT.value, "quick": _QUICK.value}
    content |= report.to_dict()
    if _JSON.value == "-":
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    elif _JSON.value:
        write_json(Path(_JSON.value), content)
        logging.info("wrote %s", _JSON.value)
    logging.info("%s", "healthy" if report.is_healthy else "not healthy: see the errors above")
    return 0 if report.is_healthy else 1


if __name__ == "__main__":
    program.run(main)
