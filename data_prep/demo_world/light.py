"""Sun, sky, haze and the cameras' response on one drive."""

import dataclasses

import numpy as np

from data_prep.demo_world.shapes import Floats, Vector


@dataclasses.dataclass(frozen=True, kw_only=True)
class Light:
    """The weather and the exposure of one drive.

    Args:
      to_sun: Unit vector in world axes.
      sun: Direct light on a surface that faces the sun, red, green and blue.
      ambient: Light from everywhere: under a clear sky bluish.
      sky: Colour overhead.
      haze: Colour that far things fade to, and the sky at the horizon.
      haze_length_m: Distance at which 63 % is haze.
      exposure: Factor from light to pixel value.
      right_gain: The right camera's exposure over the left one's.
      noise: Standard deviation of the camera's noise, of a full scale of 1.
    """

    to_sun: Vector
    sun: Vector
    ambient: Vector
    sky: Vector
    haze: Vector
    haze_length_m: float
    exposure: float
    right_gain: float
    noise: float


def random_light(rng: np.random.Generator) -> Light:
    """Draws anything from a clear evening to an overcast noon."""
    elevation, azimuth = np.radians(rng.uniform(25.0, 65.0)), rng.uniform(0.0, 2 * np.pi)
    overcast = rng.uniform(0.0, 1.0) ** 2
    blue = np.array([0.26, 0.44, 0.72]) * (1 - overcast) + np.array([0.80, 0.82, 0.85]) * overcast
    # Brighter than what it shines on, as on KITTI, whose skies are often burnt out.
    sky = blue * rng.uniform(0.75, 1.2)
    haze = np.array([0.88, 0.92, 0.97]) * rng.uniform(0.85, 1.2)
    sun = 1.7 * (1 - 0.9 * overcast) * np.array([1.06, 1.0, 0.90])
    ambient = (0.40 + 0.40 * overcast) * (0.55 + 0.45 * blue / blue.mean())
    return Light(
        to_sun=(
            float(np.cos(elevation) * np.cos(azimuth)),
            float(np.cos(elevation) * np.sin(azimuth)),
            float(np.sin(elevation)),
        ),
        sun=_vector(sun),
        ambient=_vector(ambient),
        sky=_vector(sky),
        haze=_vector(haze),
        haze_length_m=rng.uniform(600.0, 3000.0),
        exposure=rng.uniform(1.35, 2.1),
        right_gain=rng.uniform(0.97, 1.03),
        noise=rng.uniform(0.004, 0.010),
    )


def _vector(values: Floats) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
