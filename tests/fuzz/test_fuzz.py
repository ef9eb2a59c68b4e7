"""Damaged files of every reader are refused in words or read right; `make fuzz` tries many more."""

from pathlib import Path

import pytest
from fuzz.case import Reader
from fuzz.readers import READERS
from fuzz.trial import nonsense, try_inputs

from mtdepth.geometry.camera import Intrinsics


# What libraries warn of is no refusal; a file that a failed reading leaves open is closed later.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_damaged_file_is_refused_in_words_or_read_right(reader: Reader, tmp_path: Path) -> None:
    number = max(2, round(150 * reader.share))
    counts = try_inputs(reader, tmp_path / "case", seed=1, indices=range(number))
    assert counts.inputs == number
    assert counts.faults == {}


def test_what_a_record_must_not_hold_is_seen() -> None:
    right = Intrinsics(fx_px=9.0, fy_px=9.0, cx_px=3.5, cy_px=3.5, width_px=8, height_px=8)
    assert list(nonsense([right])) == []
    object.__setattr__(right, "width_px", "8")
    object.__setattr__(right, "cx_px", float("nan"))
    assert list(nonsense({"camera": right})) == [
        "Intrinsics.cx_px is not finite",
        "Intrinsics.width_px is of another type",
    ]
