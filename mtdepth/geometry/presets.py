"""Cameras whose data sheets tell the lens: the Raspberry Pi's, by name.

Source: Raspberry Pi documentation, "About the camera modules: hardware specification" (sensor
resolution, pixel size, focal length) and "Recommended lenses" (6 mm and 16 mm on HQ and GS).
"""

import dataclasses

from mtdepth.geometry.camera import Intrinsics, field_deg
from mtdepth.geometry.lens import Lens


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """A camera by its data sheet: within some per cent; calibration tells more.

    Attributes:
      sensor: Its name.
      num_columns: Of the sensor, all of which a picture is taken to show, at any size.
      pitch_um: Side of a pixel, micrometres.
      focal_mm: Focal length, millimetres.
    """

    sensor: str
    num_columns: int
    pitch_um: float
    focal_mm: float

    @property
    def field_deg(self) -> float:
        """Across the whole sensor, of a lens that does not bend."""
        return field_deg(1e3 * self.focal_mm / self.pitch_um, width_px=self.num_columns)

    def rescaled(self, *, width_px: int, height_px: int) -> Lens:
        """The lens of pictures of any size that show all columns, looking at their middle.

        Rows may have been cut: a picture of 16:9 from a sensor of 4:3 shows all columns.
        """
        focal_px = 1e3 * self.focal_mm / self.pitch_um * width_px / self.num_columns
        return Lens(camera=Intrinsics.centred(focal_px, width_px=width_px, height_px=height_px))


def _hq(focal_mm: float) -> Preset:
    return Preset(sensor="IMX477", num_columns=4056, pitch_um=1.55, focal_mm=focal_mm)


def _gs(focal_mm: float) -> Preset:
    return Preset(sensor="IMX296", num_columns=1456, pitch_um=3.45, focal_mm=focal_mm)


PRESETS = {
    "pi-v1": Preset(sensor="OV5647", num_columns=2592, pitch_um=1.4, focal_mm=3.60),
    "pi-v2": Preset(sensor="IMX219", num_columns=3280, pitch_um=1.12, focal_mm=3.04),
    "pi-v3": Preset(sensor="IMX708", num_columns=4608, pitch_um=1.4, focal_mm=4.74),
    "pi-v3-wide": Preset(sensor="IMX708", num_columns=4608, pitch_um=1.4, focal_mm=2.75),
    "pi-ai": Preset(sensor="IMX500", num_columns=4056, pitch_um=1.55, focal_mm=4.74),
    "pi-hq-6mm": _hq(6.0),
    "pi-hq-16mm": _hq(16.0),
    "pi-gs-6mm": _gs(6.0),
    "pi-gs-16mm": _gs(16.0),
}
