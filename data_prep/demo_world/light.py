"""Sun, sky and haze on one drive."""

import dataclasses

import numpy as np

from data_prep.demo_world.shapes import Floats, Vector
from data_prep.demo_world.variety import Variety


@dataclasses.dataclass(frozen=True, kw_only=True)
class Light:
    """The weather of one drive.

    Attributes:
      to_sun: Unit vector in world axes.
      sun: Direct light on a surface that faces the sun, red, green and blue.
      ambient: Light from everywhere: under a clear sky bluish.
      sky: Colour overhead.
      haze: Colour that far things fade to, and the sky at the horizon.
      haze_length_m: Distance at which 63 % is haze.
      wet: 0..1, how much water stands on the ground.
      exposure: Factor from light to pixel value.
    """

    to_sun: Vector
    sun: Vector
    ambient: Vector
    sky: Vector
    haze: Vector
    haze_length_m: float
    wet: float
    exposure: float


def light_of(variety: Variety) -> Light:
    """From a clear evening to an overcast noon, and on to dusk and fog."""
    elevation, azimuth = np.radians([variety.sun_elevation_deg, variety.sun_azimuth_deg])
    fog = float(np.clip(1.0 - np.log10(variety.haze_length_m / 60.0), 0.0, 1.0))
    grey = max(variety.overcast, 0.8 * fog)
    blue = np.array([0.26, 0.44, 0.72]) * (1 - grey) + np.array([0.80, 0.82, 0.85]) * grey
    # Brighter than what it shines on, as on KITTI, whose skies are often burnt out.
    sky = blue * variety.sky_brightness
    haze = np.array([0.88, 0.92, 0.97]) * (1.15 * variety.sky_brightness)
    # A low sun has lost its blue in the air.
    low = float(np.clip(1.0 - variety.sun_elevation_deg / 25.0, 0.0, 1.0))
    tone = np.array([1.06, 1.0, 0.90]) * (1 - low) + np.array([1.05, 0.68, 0.36]) * low
    sun = 1.7 * (1 - 0.9 * grey) * tone * (1 - variety.dusk)
    haze = haze * (1 - 0.35 * low * (1 - grey) * np.array([0.0, 0.4, 1.0]))
    ambient = (0.40 + 0.40 * grey) * (0.55 + 0.45 * blue / blue.mean())
    dim = 1.0 - variety.dusk * np.array([0.72, 0.68, 0.55])
    return Light(
        to_sun=(
            float(np.cos(elevation) * np.cos(azimuth)),
            float(np.cos(elevation) * np.sin(azimuth)),
            float(np.sin(elevation)),
        ),
        sun=_vector(sun),
        ambient=_vector(ambient * dim),
        sky=_vector(sky * dim),
        haze=_vector(haze * dim),
        haze_length_m=variety.haze_length_m,
        wet=variety.wet,
        exposure=variety.exposure,
    )


def _vector(values: Floats) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
