"""Sun, sky and haze on one drive."""

import dataclasses
from typing import Any, Literal

import numpy as np

from data_prep.demo_world.solids import Floats, Vector

Kind = Literal["training", "demo"]


def _drawn(
    low: float,
    high: float,
    why: str,
    *,
    demo: tuple[float, float] | None = None,
    chance: float = 1.0,
    otherwise: float = 0.0,
    is_log: bool = False,
    power: float = 1.0,
) -> Any:
    """A field that is drawn.

    Args:
      low: End of the range.
      high: Other end.
      why: Reason for the range.
      demo: The range in a demo world; the same if not given. Equal ends are a fixed value.
      chance: Of being drawn at all in a training world.
      otherwise: The value where it is not drawn.
      is_log: Whether the logarithm is drawn evenly.
      power: Draws low + (high - low) * u ** power.
    """
    return dataclasses.field(metadata=locals())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variety:
    """How one drive differs from others; each field's range and reason stand beside it."""

    sun_elevation_deg: float = _drawn(
        5.0, 68.0, "an hour before sunset to noon in June; long shadows below 15", demo=(25.0, 65.0)
    )
    sun_azimuth_deg: float = _drawn(0.0, 360.0, "roads run anywhere")
    overcast: float = _drawn(0.0, 1.0, "share of sunlight taken by clouds; mostly clear", power=1.6)
    dusk: float = _drawn(
        0.4, 1.0, "sun below the horizon: blue, dim, noisy", chance=0.08, demo=(0.0, 0.0)
    )
    haze_length_m: float = _drawn(
        60.0, 20000.0, "contrast falls to 37 % over it: fog to clear air; one value tells depth",
        is_log=True, power=0.5, demo=(600.0, 3000.0),
    )  # fmt: skip
    wet: float = _drawn(0.3, 1.0, "rain stands on the road: darker and mirroring", chance=0.15,
                        demo=(0.0, 0.0))  # fmt: skip
    sky_brightness: float = _drawn(
        0.75, 1.25, "against what it shines on; KITTI's skies are burnt out"
    )

    openness: float = _drawn(
        0.0, 1.0, "share of the roadside without trees and houses: views beyond 50 m", power=1.5
    )
    straightness: float = _drawn(0.0, 1.0, "long straights show far traffic")
    traffic: float = _drawn(0.5, 2.2, "times the district's usual density", is_log=True)
    people: float = _drawn(0.4, 3.0, "times the district's usual density", is_log=True)
    asphalt: float = _drawn(
        0.08, 0.45, "reflectance, new bitumen to bleached concrete", demo=(0.15, 0.25)
    )
    asphalt_warmth: float = _drawn(-0.06, 0.10, "red over blue; porphyry to blue basalt")
    cobbles: float = _drawn(
        0.13, 0.22, "length of paving stones on the carriageway, m; old towns", chance=0.08
    )
    mark_wear: float = _drawn(0.0, 0.7, "share of the paint that is worn off", power=1.5)
    mark_yellow: float = _drawn(0.6, 1.0, "yellow paint: road works, other countries", chance=0.08)

    exposure: float = _drawn(1.35, 2.1, "factor from light to pixel value", demo=(1.35, 2.1))
    level: float = _drawn(
        0.30, 0.53, "mean that automatic exposure aims at, 0 = none; KITTI's is 0.42",
        demo=(0.0, 0.0),
    )  # fmt: skip
    warmth: float = _drawn(-0.14, 0.14, "white balance, log of red over blue", demo=(0.0, 0.0))
    tint: float = _drawn(-0.04, 0.04, "white balance, log of green", demo=(0.0, 0.0))
    saturation: float = _drawn(0.6, 1.3, "cameras' colour settings", demo=(1.0, 1.0))
    gamma: float = _drawn(
        0.55, 1.0, "tone curve's exponent; 0.77 spreads pixel values as KITTI's", demo=(0.77, 0.77)
    )
    black: float = _drawn(0.0, 0.05, "light below this is black", demo=(0.03, 0.03))
    contrast: float = _drawn(0.0, 0.9, "share of an S-shaped curve", demo=(0.0, 0.0))
    blur_px: float = _drawn(0.2, 0.7, "lens, standard deviation", demo=(0.55, 0.55))
    motion_px: float = _drawn(1.5, 5.0, "length of motion blur", chance=0.15, demo=(0.0, 0.0))
    motion_deg: float = _drawn(-30.0, 30.0, "its direction; mostly sideways, as in turns")
    noise: float = _drawn(
        0.003, 0.03, "standard deviation, of 1; by day to a small sensor at dusk",
        is_log=True, demo=(0.004, 0.010),
    )  # fmt: skip
    vignette: float = _drawn(0.05, 0.4, "light lost in the corners", chance=0.5, demo=(0.0, 0.0))
    jpeg_quality: float = _drawn(
        35.0, 95.0, "compressed and decoded again, 0 = not", chance=0.5, demo=(0.0, 0.0)
    )
    shade: float = _drawn(
        0.08, 0.40, "light in shadow on a clear day; on KITTI's roads shadows are deep",
        demo=(0.40, 0.40),
    )  # fmt: skip
    right_gain: float = _drawn(0.97, 1.03, "the right camera's exposure over the left one's")
    sharpening: float = _drawn(
        0.2, 1.0, "cameras' edge enhancement, share of what blur of a pixel takes", chance=0.5,
        demo=(0.0, 0.0),
    )  # fmt: skip
    canopy: float = _drawn(
        0.3, 0.9, "share of the sun that crowns out of sight hold back, in flecks", chance=0.5,
        demo=(0.0, 0.0),
    )  # fmt: skip
    gloss: float = _drawn(
        0.1, 0.7, "of the road: worn stones shine against the sun, as on KITTI", demo=(0.0, 0.0)
    )
    asphalt_grain: float = _drawn(
        0.7, 3.0, "times a new road's stains, patches and cracks", is_log=True, demo=(1.0, 1.0)
    )

    def to_dict(self) -> dict[str, float]:
        """By name, as JSON holds them."""
        return {name: round(value, 6) for name, value in dataclasses.asdict(self).items()}


def random_variety(rng: np.random.Generator, kind: Kind) -> Variety:
    """Draws every field."""
    return Variety(
        **{field.name: _draw(rng, kind, **field.metadata) for field in dataclasses.fields(Variety)}
    )


def _draw(
    rng: np.random.Generator,
    kind: Kind,
    *,
    low: float,
    high: float,
    demo: tuple[float, float] | None,
    chance: float,
    otherwise: float,
    is_log: bool,
    power: float,
    **_: Any,
) -> float:
    # Both draws are always made, so that one field's chance moves no other field.
    share, luck = float(rng.random()) ** power, float(rng.random())
    if kind == "demo" and demo is not None:
        low, high, chance = *demo, 1.0
    if luck >= chance:
        return otherwise
    if is_log and low > 0:
        return float(low * (high / low) ** share)
    return low + (high - low) * share


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
      canopy: 0..1, share of direct light that crowns out of sight hold back.
      gloss: 0..1, how much of a smooth road's shine the road has.
      exposure: Factor from light to pixel value.
    """

    to_sun: Vector
    sun: Vector
    ambient: Vector
    sky: Vector
    haze: Vector
    haze_length_m: float
    wet: float
    canopy: float
    gloss: float
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
    ambient = (variety.shade + (0.80 - variety.shade) * grey) * (0.55 + 0.45 * blue / blue.mean())
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
        canopy=variety.canopy,
        gloss=variety.gloss,
        exposure=variety.exposure,
    )


def _vector(values: Floats) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
