"""The lie of the land: the road's longitudinal profile, banks beside it, hills far away."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.demo_world.shapes import Floats

KERB_FACE_M = 0.02  # the kerb rises over this width, so that heights stay a function of x and y
_STEEPEST = (0.038, 0.012)  # grades of the profile's long and short wave: 5 % together


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terrain:
    """Heights of the ground.

    Args:
      wave_m: Amplitudes of the profile's two waves along the road.
      wave_length_m: Their periods.
      wave_phase_rad: Their phases.
      bank_m: How far the ground rises (or falls) beyond the left and the right sidewalk.
      bank_width_m: Over which distance.
      swell_m: Amplitude of the ground's own waves away from the road.
      hill_m: Height of the hills that close the view.
      road_end_m: x of the road's far end.
    """

    wave_m: tuple[float, float]
    wave_length_m: tuple[float, float]
    wave_phase_rad: tuple[float, float]
    bank_m: tuple[float, float]
    bank_width_m: float
    swell_m: float
    hill_m: float
    road_end_m: float

    def profile_m(self, x_m: Floats | float) -> Floats:
        """Height of the road."""
        return sum(
            amplitude * np.sin(np.asarray(x_m) * (2 * np.pi / length) + phase)
            for amplitude, length, phase in self._waves()
        ) + np.zeros(np.shape(x_m))

    def grade(self, x_m: Floats | float) -> Floats:
        """Slope of the road, metres up per metre along x."""
        return sum(
            amplitude * (2 * np.pi / length) * np.cos(np.asarray(x_m) * 2 * np.pi / length + phase)
            for amplitude, length, phase in self._waves()
        ) + np.zeros(np.shape(x_m))

    def beside_m(
        self, x_m: Floats, y_m: Floats, *, is_left: npt.NDArray[np.bool_], off_walk_m: Floats
    ) -> Floats:
        """Height above the profile of ground that is no street.

        Args:
          x_m: World x.
          y_m: World y.
          is_left: Whether the point is left of the road.
          off_walk_m: Distance from the nearest sidewalk; 0 or less on it.
        """
        bank_m = np.where(is_left, *self.bank_m)
        swell_m = self.swell_m * np.sin(x_m / 9.1 + np.sin(y_m / 6.3)) * np.sin(y_m / 7.7)
        share = _smooth_step(off_walk_m / self.bank_width_m)
        return bank_m * share + swell_m * _smooth_step(off_walk_m / 8.0)

    def hills_m(self, x_m: Floats, y_m: Floats) -> Floats:
        """What the distant ground rises above all else."""
        away = np.maximum((np.abs(y_m) - 120.0) / 350.0, (x_m - self.road_end_m - 80.0) / 400.0)
        crest = 0.65 + 0.35 * np.sin(x_m / 83.0 + y_m / 61.0) * np.cos(x_m / 47.0 - y_m / 97.0)
        return self.hill_m * crest * _smooth_step(away)

    def _waves(self) -> list[tuple[float, float, float]]:
        return list(zip(self.wave_m, self.wave_length_m, self.wave_phase_rad, strict=True))


def random_terrain(rng: np.random.Generator, *, road_end_m: float) -> Terrain:
    """Draws anything from a plain to a road of 5 % through a cutting."""
    lengths_m = (rng.uniform(200.0, 500.0), rng.uniform(60.0, 120.0))
    grades = (rng.uniform(0.0, _STEEPEST[0]), rng.uniform(0.0, _STEEPEST[1]))
    return Terrain(
        wave_m=(
            grades[0] * lengths_m[0] / (2 * np.pi),
            grades[1] * lengths_m[1] / (2 * np.pi),
        ),
        wave_length_m=lengths_m,
        wave_phase_rad=(rng.uniform(0.0, 2 * np.pi), rng.uniform(0.0, 2 * np.pi)),
        bank_m=(rng.uniform(-1.5, 3.5), rng.uniform(-1.5, 3.5)),
        bank_width_m=rng.uniform(18.0, 40.0),
        swell_m=rng.uniform(0.05, 0.3),
        hill_m=rng.uniform(4.0, 30.0),
        road_end_m=road_end_m,
    )


def _smooth_step(value: Floats) -> Floats:
    share = np.clip(value, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
