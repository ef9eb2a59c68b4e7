"""What a user is told while a training from video goes wrong."""

import dataclasses
import logging
from typing import Any

import numpy as np
import pytest

from mtdepth.training.step import StepResult
from mtdepth.training.video_health import MIN_STEPS_TO_COLLAPSE, HealthChecks
from mtdepth.training.video_objective import LOG_DEPTH_STD, ROTATION_RAD, TRANSLATION_PER_DEPTH

SANE = {LOG_DEPTH_STD: 0.6, ROTATION_RAD: 0.02, TRANSLATION_PER_DEPTH: 0.1, "total": 0.5}


def found(**losses: float) -> StepResult:
    return StepResult(losses=SANE | losses, gradient_norm=1.0, is_finite=True)


def batch(name: str = "drive 7") -> dict[str, Any]:
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 64, 3), dtype=np.uint8)
    return {"frames": frames, "frame": np.array([name.encode(), b"drive 8"])}


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="absl")


def test_a_sane_run_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    health = HealthChecks()
    for _ in range(3):
        health.look(batch(), found())
    health.end_epoch()
    assert messages(caplog) == []


@pytest.mark.parametrize("colour", [0, 255, [40, 90, 200]])
def test_black_and_one_coloured_frames_are_named_once(
    colour: Any, caplog: pytest.LogCaptureFixture
) -> None:
    health, given = HealthChecks(), batch()
    given["frames"][0, 2] = colour
    given["frames"][0, 2, ::3] ^= 1  # a sensor's noise
    for _ in range(2):
        health.look(given, found())
    (message,) = messages(caplog)
    assert "drive 7" in message
    assert "drive 8" not in message
    assert "Leave them out" in message


def test_a_film_of_black_frames_is_not_named_frame_by_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health = HealthChecks()
    for number in range(50):
        given = batch(f"drive {number}")
        given["frames"][0] = 0
        health.look(given, found())
    assert len(messages(caplog)) == 5


def test_a_depth_that_is_constant_for_a_whole_epoch_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health, given, constant = HealthChecks(), batch(), found(**{LOG_DEPTH_STD: 0.001})
    for _ in range(MIN_STEPS_TO_COLLAPSE // 2):
        health.look(given, constant)
    health.end_epoch()
    assert messages(caplog) == []  # as it starts
    for _ in range(MIN_STEPS_TO_COLLAPSE // 2):
        health.look(given, constant)
    health.look(given, found())
    health.end_epoch()
    assert messages(caplog) == []  # not for the whole of it
    health.look(given, constant)
    health.end_epoch()
    (message,) = messages(caplog)
    assert "collapsed to a constant" in message
    assert "auto_mask" in message
    assert "learning_rate" in message


@pytest.mark.parametrize("what", [{ROTATION_RAD: 1.5}, {TRANSLATION_PER_DEPTH: 20.0}])
def test_a_wild_motion_names_its_frames_once_an_epoch(
    what: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    health = HealthChecks()
    for _ in range(3):
        health.look(batch(), found(**what))
    health.end_epoch()
    first, summary = messages(caplog)
    assert "drive 7, drive 8" in first
    assert "clip_norm" in first
    assert "in 3 of this epoch's 3 steps" in summary
    health.look(batch(), found(**what))
    assert len(messages(caplog)) == 3


def test_a_step_that_is_not_taken_is_left_to_the_run(caplog: pytest.LogCaptureFixture) -> None:
    poisoned = found(**{ROTATION_RAD: float("nan")})
    HealthChecks().look(batch(), dataclasses.replace(poisoned, is_finite=False))
    assert messages(caplog) == []
