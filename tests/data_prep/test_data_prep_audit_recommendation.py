"""Which table is recommended: the one that helps drives it has not seen, or none."""

import re

import numpy as np
import pytest

from data_prep.audit.bias_evidence import BiasEvidence
from data_prep.audit.recommendation import recommend, score_choices, table_of


def evidence(
    *, factor: float = 1.0, biases_m: tuple[float, ...] = (0, 0, 0, 0), noise: float = 0.02
) -> BiasEvidence:
    """Drives whose teacher multiplies depth by a factor and adds a constant each."""
    rng = np.random.default_rng(0)
    num_points = 8000 * len(biases_m)
    lidar_m = rng.uniform(4, 70, num_points)
    drive = np.repeat(np.arange(len(biases_m)), 8000)
    predicted_m = factor * lidar_m * np.exp(rng.normal(0, noise, num_points))
    return BiasEvidence(
        predicted_m=predicted_m + np.asarray(biases_m)[drive],
        lidar_m=lidar_m,
        drive=drive,
        num_drives=len(biases_m),
        num_frames=8,
    )


def test_a_table_brings_back_what_a_scale_of_1_17_took() -> None:
    right = score_choices(evidence(), "drives_out")[0]
    wrong = evidence(factor=1.17)
    scores = score_choices(wrong, "drives_out")
    found = recommend(scores, is_held_out=True)
    assert found.is_recommended
    assert scores[0].abs_rel == pytest.approx(0.17, abs=0.005)
    # All but 1 m of bins' width, and what is capped at 80 m.
    assert found.best.abs_rel < 1.15 * right.abs_rel
    assert found.why.startswith(f"{found.best.title}: Abs Rel 0.1")
    assert "better on 4 of 4 drives" in found.why
    # It shortens 40 m by the factor.
    table = table_of(wrong, found.best)
    assert table.apply(np.array([46.8]))[0] == pytest.approx(40, abs=0.5)


def test_an_unbiased_teacher_needs_no_table() -> None:
    found = recommend(score_choices(evidence(), "drives_out"), is_held_out=True)
    assert not found.is_recommended
    assert re.match(r"none: the best table, .*, gains less than 1%", found.why)


def test_a_table_that_helps_one_drive_at_the_cost_of_others_is_not_recommended() -> None:
    biased = evidence(biases_m=(0, 0, 0, 6))
    found = recommend(score_choices(biased, "drives_out"), is_held_out=True)
    assert not found.is_recommended
    assert "helps no more than half of the drives" in found.why


def test_one_drive_alone_recommends_nothing() -> None:
    biased = evidence(factor=1.17, biases_m=(0,))
    found = recommend(score_choices(biased, "drives_out"), is_held_out=biased.is_held_out)
    assert not found.is_recommended
    assert "all pairs are of one drive" in found.why


def test_the_first_half_is_fitted_and_the_second_scored() -> None:
    # The first two drives are right, the last two 3 m too far: a table of the former is no help.
    found = score_choices(evidence(biases_m=(0, 0, 3, 3)), "first_half")
    assert len(found[0].abs_rel_by_drive) == 2
    before = found[0].abs_rel
    assert before > 0.1
    # Within the noise's own tenth of a percent.
    assert [score.abs_rel for score in found[1:]] == pytest.approx([before] * 4, rel=0.05)


def test_no_table_has_no_table() -> None:
    found = evidence()
    with pytest.raises(ValueError, match="no table"):
        table_of(found, score_choices(found, "drives_out")[0])
