"""In which order pictures were taken, told from the numbers in their names.

All number groups of a name count together, as in a file manager (`a_2_10` follows `a_2_9`). Time
stamps are recognised, and a constant step (every fifth frame kept) is: what follows after the usual
step is the next frame, and a longer step is a gap.
"""

import datetime
import itertools
import re
from collections.abc import Sequence

# As robots' recorders name frames: seconds and their fraction, 1305031102.175304, perhaps behind a
# topic's name. Without one the seconds may count from the start of a recording, 12.5.
_SECONDS = re.compile(r"(?:.*[^0-9.])?([0-9]{9,10})([._-])([0-9]{1,9})|([0-9]+)\.([0-9]{1,9})")
_DATE_TIME = re.compile(
    r"(?:.*[^0-9])?((?:19|20)[0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})[-_.T ]*"
    r"([0-9]{2})[-_.:h]?([0-9]{2})[-_.:m]?([0-9]{2})(?:[-_.]?([0-9]{1,9}))?[sZ]?"
)


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts `frame9` before `frame10`."""
    words = re.split(r"([0-9]+)", name)
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def moments_of(stems: Sequence[str]) -> list[int] | None:
    """Tells when each of several pictures was taken, up to a common unit and beginning.

    Args:
      stems: Names without suffix, in the order of `natural_key`.

    Returns:
      A number for each: nanoseconds where all are time stamps, else their last group of digits.
      None where the names have no such number, or have it twice, or where it contradicts the
      natural order, as one of several counts does: then that order is all that is known.
    """
    # What all names end with, as `_left` and `-rgb`, tells no time.
    endings = {re.search(r"[^0-9]*$", stem)[0] for stem in stems}  # type: ignore[index]  # always
    if len(endings) == 1:
        stems = [stem[: len(stem) - len(ending)] for ending in endings for stem in stems]
    moments = _seconds(stems) or _dates(stems)
    if moments is None:
        matches = [re.search(r"([0-9]+)$", stem) for stem in stems]
        moments = [int(match[1]) for match in matches if match]
        if len(moments) < len(stems) or moments != sorted(moments):
            return None
    return moments if len(set(moments)) == len(moments) else None


def frame_numbers(stamps: Sequence[int]) -> tuple[list[int], int]:
    """Turns the numbers of file names into frame numbers that are one apart in time.

    Args:
      stamps: Ascending and different: counts, every n-th count, or time stamps.

    Returns:
      The frame numbers, and the usual step between the stamps (1 for a single frame). Counts whose
      usual step is 1 stay as they are.
    """
    steps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    usual = sorted(steps)[len(steps) // 2] if steps else 1
    if usual == 1:
        return list(stamps), 1
    numbers = [0]
    for step in steps:
        # In integers: time stamps in nanoseconds exceed what a float holds.
        numbers.append(numbers[-1] + max(1, (2 * step + usual) // (2 * usual)))
    return numbers, usual


def _seconds(stems: Sequence[str]) -> list[int] | None:
    matches = [match for stem in stems if (match := _SECONDS.fullmatch(stem))]
    if len(matches) < len(stems):
        return None
    words = [(match[1] or match[4], match[2] or ".", match[3] or match[5]) for match in matches]
    fractions = _nanoseconds([(point, fraction) for _, point, fraction in words])
    return [
        int(seconds) * 10**9 + fraction
        for (seconds, _, _), fraction in zip(words, fractions, strict=True)
    ]


def _dates(stems: Sequence[str]) -> list[int] | None:
    matches = [match for stem in stems if (match := _DATE_TIME.fullmatch(stem))]
    if len(matches) < len(stems):
        return None
    fractions = _nanoseconds([("_", match[7] or "0") for match in matches])
    start = datetime.datetime(1900, 1, 1)
    moments = []
    for match, fraction in zip(matches, fractions, strict=True):
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        try:
            moment = datetime.datetime(year, month, day, hour, minute, second)
        except ValueError:  # month 13: these are other numbers
            return None
        moments.append(round((moment - start).total_seconds()) * 10**9 + fraction)
    return moments


def _nanoseconds(fractions: Sequence[tuple[str, str]]) -> list[int]:
    """Fractions of a second, written behind a point or as a count of its own."""
    widths = {len(fraction) for _, fraction in fractions}
    is_count = len(widths) > 1 and (max(widths) == 9 or fractions[0][0] != ".")
    if is_count:  # without leading zeros: 7 of ... 999999 is seven microseconds
        unit = 10 ** (9 - (3 if max(widths) <= 3 else 6 if max(widths) <= 6 else 9))
        return [int(fraction) * unit for _, fraction in fractions]
    return [int(fraction.ljust(9, "0")) for _, fraction in fractions]
