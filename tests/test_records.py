"""Records: read back from JSON with every value of its field's type."""

import dataclasses
from typing import Literal

import pytest

from mtdepth.files import UserError
from mtdepth.records import rebuilt


@dataclasses.dataclass(frozen=True)
class Wheel:
    num_spokes: int
    radius_m: float = 0.3


@dataclasses.dataclass(frozen=True)
class Cart:
    status: Literal["finished", "failed"]
    wheels: tuple[Wheel, ...] = ()
    size: tuple[int, int] = (1, 2)
    owner: str | None = None


GOOD = {"status": "finished", "wheels": [{"num_spokes": 8, "radius_m": 1}], "size": [3, 4]}


def test_a_record_holds_records_and_tuples_again() -> None:
    cart = rebuilt(Cart, GOOD)
    assert cart == Cart("finished", (Wheel(8, 1.0),), (3, 4))
    assert isinstance(cart.wheels[0].radius_m, float)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "finishd"}, "status must be one of finished, failed"),
        ({"statos": "finished"}, "no field 'statos'; did you mean status?"),
        ({"size": [3]}, "size must be a list of 2"),
        ({"size": "34"}, "size must be a list"),
        ({"size": [1280.7, 4]}, r"size\[0\] must be of type int, got 1280.7"),
        ({"wheels": [[1]]}, r"wheels\[0\]: must be a record"),
        ({"wheels": [{"num_spokes": "8"}]}, r"wheels\[0\]: num_spokes must be of type int"),
        ({"wheels": [{"num_spokes": True}]}, "num_spokes must be of type int"),
        ({"wheels": [{"num_spokes": 8, "radius_m": float("nan")}]}, "radius_m"),
        ({"wheels": [{"num_spokes": 8, "radius_m": 10**400}]}, "radius_m"),
        ({"wheels": [{}]}, "Wheel lacks the field 'num_spokes'"),
        ({"owner": 3}, "owner must be of type str"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(change: dict[str, object], why: str) -> None:
    with pytest.raises(UserError, match=why):
        rebuilt(Cart, {**GOOD, **change})


@pytest.mark.parametrize("content", [[], "finished", None, 3])
def test_what_is_no_record_is_refused(content: object) -> None:
    with pytest.raises(UserError, match="must be a record with the fields of Cart"):
        rebuilt(Cart, content)
