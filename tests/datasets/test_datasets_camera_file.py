"""Files of one camera, and cameras that are known by name."""

import json
from pathlib import Path

import pytest

from mtdepth.datasets.camera_file import open_camera, read_camera_file, write_camera_file
from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens
from mtdepth.geometry.presets import PRESETS

CAMERA = Intrinsics(fx_px=610.0, fy_px=600.0, cx_px=310.0, cy_px=250.0, width_px=640, height_px=480)


@pytest.mark.parametrize(
    ("distortion", "model"),
    [((), "radtan"), ((-0.3, 0.1, 0.0, 0.001, -0.02), "radtan"), ((0.1,) * 4, "fisheye")],
)
def test_what_is_written_is_read(distortion: tuple[float, ...], model: str, tmp_path: Path) -> None:
    lens = Lens(camera=CAMERA, distortion=distortion, model=model)
    write_camera_file(tmp_path / "camera.json", lens)
    assert read_camera_file(tmp_path / "camera.json") == lens


def test_six_numbers_are_a_pinhole(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(CAMERA.to_dict()))
    assert read_camera_file(path) == Lens(camera=CAMERA)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"distortion": "none"}, "distortion must be a list of numbers"),
        ({"distortion": [0.1, None, 0, 0]}, "distortion must be a list of numbers"),
        ({"distortion": [0.1]}, "4 or 5 or 8 or 12 or 14 numbers, got 1"),
        ({"distortion": [-30, 0, 0, 0]}, "folds the picture"),
        ({"distortion_model": "omni"}, "radtan or fisheye"),
        ({"fx_px": 0.9}, "normalised"),
        ({"k1": 0.1}, "exactly"),
    ],
)
def test_a_file_of_no_camera_is_refused(
    changed: dict[str, object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(CAMERA.to_dict() | changed))
    with pytest.raises(DataError, match=said):
        read_camera_file(path)


# Degrees across that Raspberry Pi's documentation states, or its lens table for HQ and GS. The lens
# of the wide module 3 bends, so that the sheet's 102 are more than a pinhole of 2.75 mm shows; of
# module 3 and the AI camera they differ from what their own focal length shows by 2 degrees.
STATED_DEG = {
    "pi-v1": 53.5,
    "pi-v2": 62.2,
    "pi-v3": 66,
    "pi-v3-wide": 102,
    "pi-ai": 66,
    "pi-hq-6mm": 55,
    "pi-hq-16mm": 22.2,
    "pi-gs-6mm": 45,
    "pi-gs-16mm": 17.8,
}


def test_the_data_sheets_lens_shows_as_much_as_the_data_sheet_says() -> None:
    assert set(STATED_DEG) == set(PRESETS)
    for name, stated_deg in STATED_DEG.items():
        assert PRESETS[name].field_deg == pytest.approx(stated_deg, abs=3.1), name


def test_a_preset_is_the_lens_of_pictures_of_any_size() -> None:
    # 3.04 mm over 1.12 um is 2714.3 px of 3280 columns.
    for width_px, height_px in ((640, 480), (1280, 720)):
        camera = open_camera("pi-v2").rescaled(width_px=width_px, height_px=height_px).camera
        assert camera.fx_px == pytest.approx(2714.29 * width_px / 3280, rel=1e-5)
        assert (camera.cx_px, camera.cy_px) == ((width_px - 1) / 2, (height_px - 1) / 2)


def test_an_unknown_name_is_answered_by_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"did you mean pi-hq-6mm\?"):
        open_camera("pi-hq-6")
    with pytest.raises(UserError, match="known are pi-v1, pi-v2"):
        open_camera("webcam")
    with pytest.raises(FileNotFoundError):
        open_camera("webcam.json")
