"""Are labels that were made what they should be? Looks at a few frames of each job at its end."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from absl import logging

from data_prep.audit.scale_check import SCALED, Verdict, judge_by_matching
from data_prep.doctor.stereo_order import Matches, match_corners, order_findings
from data_prep.generation import GenerationRequest
from mtdepth.attempts import attempt
from mtdepth.datasets.frames import FrameId
from mtdepth.datasets.label_store import FrameRecord, depth_path, read_depth_png
from mtdepth.datasets.plausible import depth_problem
from mtdepth.datasets.readers import open_recordings
from mtdepth.datasets.splits import evenly_spaced
from teachers.interface import load_sample

Floats = npt.NDArray[np.float32]

NUM_JUDGED = 3  # frames whose depth is compared with what matching finds, half a second each
# ours: semi-global matching has 0.6 to 0.9 on pairs that are rectified, and drives of one rig
# differ by a third at most. Nothing is kept of what the doctor saw: frames that are judged here are
# matched as it does, and a drive is held against the others.
LEAST_COVERAGE, LEAST_SHARE = 0.3, 0.5
# ours: of a factor's logarithm, 10 %. Exact depth of small rendered pictures has up to 5 % against
# what matching finds; the smallest wrong factor that is known, of align_corners, 17 %.
LEAST_CERTAIN = 0.1


def wrong_scale(request: GenerationRequest, records: Sequence[FrameRecord]) -> str:
    """Why a job's depth is certainly no metres, by most of a few frames; empty where it may be.

    Certain is a median that no scene has, and a factor that depth differs by from what matching
    finds in both views. What may have other reasons is only said: pairs that are not rectified,
    hardly any depth, depth that has no ratio to the matched one.

    Args:
      request: Of the job.
      records: Its frames, finished and failed.
    """
    finished = [record for record in records if record.status == "finished"]
    if not finished or request.teachers.depth_is_measured:
        return ""
    sparse = _sparse_drives(finished)[:NUM_JUDGED]
    if sparse:
        logging.warning(
            "depth on only few pixels: %s. Are the pictures rectified, and of one moment? "
            "`python -m data_prep.doctor --kitti_root %s` looks at that",
            ", ".join(f"{drive} {share:.0%}" for drive, share in sparse),
            request.kitti_root,
        )
    frames = [record.frame for record in finished]
    asked = evenly_spaced(frames, number=NUM_JUDGED)
    for drive, _ in sparse:
        asked += evenly_spaced([frame for frame in frames if frame.drive == drive], number=1)
    asked = list(dict.fromkeys(asked))
    verdicts = _compare_views(request, asked)
    scaled = [f"frame {frame}: {v.sentence}" for frame, v in verdicts if _is_certain(v)]
    if 2 * len(scaled) > len(verdicts):
        return scaled[0]
    reasons = [
        (frame, attempt(lambda each: depth_problem(_depth(request, each)), frame))
        for frame in asked
    ]
    unlike = [f"frame {frame}: {why}" for frame, why in reasons if isinstance(why, str) and why]
    if 2 * len(unlike) > len(asked):
        return unlike[0]
    bad = [f"frame {frame}: {v.sentence}" for frame, v in verdicts if not v.is_good]
    for doubt in [*unlike, *(bad if 2 * len(bad) > len(verdicts) else [])][:1]:
        logging.warning("are these labels metres? %s", doubt)
    return ""


def _is_certain(verdict: Verdict) -> bool:
    if verdict.cause not in SCALED or verdict.statistics is None:
        return False
    return bool(abs(np.log(verdict.statistics.scale)) > LEAST_CERTAIN)


def _depth(request: GenerationRequest, frame: FrameId) -> Floats:
    return read_depth_png(depth_path(request.output, frame))


def _compare_views(
    request: GenerationRequest, asked: Sequence[FrameId]
) -> list[tuple[FrameId, Verdict]]:
    """What matching says of depth, where there are two views that it was not made by.

    Says what is odd about the pairs themselves.
    """
    raw = open_recordings(request.kitti_root)

    def compared(frame: FrameId) -> tuple[Matches, Verdict | None] | None:
        if not raw.rig(frame).has_right:
            return None
        sample = load_sample(raw, frame, needs_partner=True)
        is_matched = request.teachers.depth_judges_others
        verdict = None if is_matched else judge_by_matching(sample, _depth(request, frame))
        return match_corners(*sample.as_left_pair()), verdict

    answers = [(frame, attempt(compared, frame)) for frame in asked]
    pairs = [(frame, said) for frame, said in answers if isinstance(said, tuple)]
    for found in order_findings("", [matches for _, (matches, _) in pairs]):
        logging.warning("%s: %s; %s", found.check.fault, found.why, found.check.remedy)
    return [(frame, verdict) for frame, (_, verdict) in pairs if verdict is not None]


def _sparse_drives(records: Sequence[FrameRecord]) -> list[tuple[str, float]]:
    """Drives with far less depth than pairs of a rig have, or than others; the worst first."""
    shares = defaultdict(list)
    for record in records:
        shares[record.frame.drive].append(record.labelled_fraction or 0.0)
    of_drive = {drive: float(np.mean(each)) for drive, each in shares.items()}
    least = max(LEAST_COVERAGE, LEAST_SHARE * float(np.median(list(of_drive.values()))))
    found = [(drive, share) for drive, share in of_drive.items() if share < least]
    return sorted(found, key=lambda each: each[1])
