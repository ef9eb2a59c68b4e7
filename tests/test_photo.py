"""A photo in, metres and classes out, in Python and by `mtdepth predict`."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from fakes.programs import run_program
from PIL import Image as PillowImage

from mtdepth import Predictor
from mtdepth.__main__ import COMMANDS, main
from mtdepth.datasets.camera_file import write_camera_file
from mtdepth.files import DataError, UserError
from mtdepth.geometry.camera import Intrinsics
from mtdepth.geometry.lens import Lens, Straightener
from mtdepth.photo import SeenPhoto, as_rgb, camera_of, exif_focal_35mm
from mtdepth.pictures import read_rgb
from mtdepth.pretrained.names import exported_file
from mtdepth.runtime.pipeline import Prediction

WIDTH_PX, HEIGHT_PX = 416, 128


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(num_threads=1)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A street of sorts: sky over a darker road, whose EXIF tells a lens of 26 mm."""
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), (110, 160, 220), np.uint8)
    image[60:] = 90
    path = tmp_path / "street.jpg"
    exif = PillowImage.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    PillowImage.fromarray(image).save(path, exif=exif, quality=95)
    return path


def seen_of(depth_m: npt.NDArray[np.float32], train_id: npt.NDArray[np.uint8]) -> SeenPhoto:
    return SeenPhoto(
        image_rgb=np.zeros((*depth_m.shape, 3), np.uint8),
        prediction=Prediction(depth_m, train_id),
        camera=None, valid_m=(1.0, 80.0), is_metric=True, name="made", scale_note="scale by hand",
    )  # fmt: skip


def test_a_photo_needs_two_lines_and_no_tensorflow(photo: Path) -> None:
    lines = "import sys, mtdepth; assert 'numpy' not in sys.modules; " \
        f"seen = mtdepth.Predictor()({str(photo)!r}); print(seen); " \
        "assert 'tensorflow' not in sys.modules"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("<street, 416x128 px: ")
    assert "scale from EXIF (as 26 mm on 35 mm film)" in done.stdout


def test_depth_and_classes_have_the_pictures_size_and_the_lenses_scale(
    predictor: Predictor, photo: Path
) -> None:
    seen = predictor(photo)
    assert seen.depth_m.shape == (HEIGHT_PX, WIDTH_PX)
    assert seen.train_id is not None
    assert seen.train_id.shape == (HEIGHT_PX, WIDTH_PX)
    assert seen.camera is not None
    # 26 mm on a picture whose diagonal is 43.27 mm long.
    assert seen.camera.fx_px == pytest.approx(26 / 43.2666 * math.hypot(416, 128), rel=1e-4)
    twice = predictor(photo, focal_px=2 * seen.camera.fx_px)
    np.testing.assert_allclose(twice.depth_m, 2 * seen.depth_m, rtol=1e-5)


def test_a_lens_that_nothing_tells_is_taken_as_the_training_cameras(predictor: Predictor) -> None:
    blank = np.full((HEIGHT_PX, WIDTH_PX, 3), 128, np.uint8)
    seen = predictor(blank)
    assert "as if the lens showed 81 degrees across: no focal length was given" in seen.in_words
    known = predictor(blank, fov_deg=81.44)
    np.testing.assert_allclose(known.depth_m, seen.depth_m, rtol=1e-3)
    assert "field of view of 81.44 degrees" in known.in_words


def test_every_kind_of_picture_is_the_same_picture(predictor: Predictor) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 130, 3), np.uint8)
    torch = pytest.importorskip("torch")
    kinds = [image, image / 255, PillowImage.fromarray(image), torch.tensor(image)]
    kinds += [torch.tensor(image).permute(2, 0, 1)]
    for kind in kinds:
        np.testing.assert_array_equal(as_rgb(kind)[0], image)
    answers = list(predictor.batch(kinds, fov_deg=70))
    assert len(answers) == len(kinds)
    np.testing.assert_array_equal(answers[0].depth_m, answers[-1].depth_m)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 4)), r"\[height, width, 3\] RGB, got shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), "got shape"),
        (np.zeros((0, 4, 3), np.uint8), "got shape"),
        (np.zeros((4, 4, 3), np.int32), "got int32"),
        (np.full((4, 4, 3), 2.0), "0..1, got 2 to 2"),
        (np.full((4, 4, 3), np.nan), "0..1, got nan"),
    ],
)
def test_what_is_no_picture_is_refused(picture: npt.NDArray[np.generic], message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_rgb(picture)


def test_lenses_that_cannot_be_are_refused(predictor: Predictor, photo: Path) -> None:
    blank = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    with pytest.raises(UserError, match="millimetres"):
        predictor(blank, focal_px=4.2)
    with pytest.raises(UserError, match=r"focal length of 0 px: .* a wrong number"):
        predictor(blank, focal_px=0)
    with pytest.raises(UserError, match="between 0 and 180"):
        predictor(blank, fov_deg=180)
    with pytest.raises(UserError, match="one of focal_px, fov_deg and camera"):
        predictor(blank, focal_px=300, fov_deg=60)
    other = Intrinsics.centred(300, width_px=300, height_px=300)
    with pytest.raises(UserError, match="no scaling"):
        predictor(photo, camera=other)


def test_a_lens_that_bends_is_straightened_before_the_network(
    predictor: Predictor, photo: Path, tmp_path: Path
) -> None:
    camera = Intrinsics.centred(300, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    lens = Lens(camera=camera, distortion=(-0.2, 0.05, 0.0, 0.0))
    write_camera_file(tmp_path / "camera.json", lens)
    seen = predictor(photo, camera=tmp_path / "camera.json")
    straight = Straightener(lens)
    image = straight.picture(read_rgb(photo))
    np.testing.assert_array_equal(seen.image_rgb, image)
    assert seen.camera == straight.camera(image.shape[:2])
    by_hand = predictor(image, camera=seen.camera)
    np.testing.assert_array_equal(seen.depth_m, by_hand.depth_m)


def test_a_camera_by_its_name(predictor: Predictor, photo: Path) -> None:
    seen = predictor(photo, camera="pi-v2")
    known = predictor(photo, fov_deg=62.28)  # 2 atan(3280 * 1.12 um / 2 / 3.04 mm)
    np.testing.assert_allclose(seen.depth_m, known.depth_m, rtol=1e-3)
    with pytest.raises(UserError, match="did you mean pi-v2"):
        predictor(photo, camera="pi-v22")


def test_predict_knows_a_camera_by_its_name(photo: Path, tmp_path: Path) -> None:
    words = (photo, "--output", tmp_path, "--write", "ply", "--camera")
    done = run_program("export.predict", *words, "pi-v3-wide")
    assert done.returncode == 0, done.stderr
    assert "scale from the camera that was given" in done.stdout
    wrong = run_program("export.predict", *words, "pi-v4")
    assert wrong.returncode == 1
    assert "pi-v4: neither a camera file nor a known camera" in wrong.stderr


def test_what_exif_tells(tmp_path: Path, photo: Path) -> None:
    assert exif_focal_35mm(photo) == 26
    for content in (b"", b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff", b"no picture"):
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(content)
        assert exif_focal_35mm(bad) is None
    zero = tmp_path / "zero.jpg"
    exif = PillowImage.Exif()
    exif.get_ifd(0x8769)[0xA405] = 0  # "unknown", says the standard
    PillowImage.new("RGB", (32, 32)).save(zero, exif=exif)
    assert exif_focal_35mm(zero) is None
    assert camera_of((32, 32), path=zero)[0] is None


def test_the_sentence_names_the_nearest_thing_and_its_side() -> None:
    depth_m = np.full((60, 240), 40.0, np.float32)
    train_id = np.zeros((60, 240), np.uint8)  # road
    assert seen_of(depth_m, train_id).in_words.startswith("no obstacle; scale by hand; all depths")
    for left, side in ((10, "left"), (110, "ahead"), (200, "right")):
        depth_m[:], train_id[:] = np.linspace(60, 5, 60)[:, None], 0
        depth_m[20:50, left : left + 20], train_id[20:50, left : left + 20] = 4.25, 13  # car
        words = seen_of(depth_m, train_id).in_words
        assert words == f"nearest obstacle 4.2 m, car, {side}; scale by hand"


def test_files_and_pictures_of_it(predictor: Predictor, photo: Path, tmp_path: Path) -> None:
    seen = predictor(photo)
    kinds = ("overlay", "depth", "classes", "npz", "ply")
    folder = seen.save(tmp_path / "seen", write=kinds)
    assert sorted(path.name for path in folder.iterdir()) == [
        "street.npz", "street.ply", "street_classes.png", "street_depth.png", "street_overlay.png",
    ]  # fmt: skip
    stored = cv2.imread(str(folder / "street_depth.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(stored / 256, seen.depth_m, atol=1 / 256)
    assert seen._repr_jpeg_().startswith(b"\xff\xd8\xff")
    points = seen.points()
    assert 0 < len(points) <= seen.depth_m.size
    with pytest.raises(UserError, match="write: one of overlay, depth, classes, npz, ply, got x"):
        seen.save(folder, write=["x"])


def test_a_film_is_one_answer_for_each_frame(
    predictor: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    for picture in np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), np.uint8):
        writer.write(picture)
    writer.release()
    names = [seen.name for seen in predictor.video(film, fov_deg=70)]
    assert names == [f"00000{number}" for number in range(6)]
    assert "cut short" not in caplog.text
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert 0 < len(list(predictor.video(film, fov_deg=70))) < 5
    assert "of 6 frames; was it cut short?" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"other\.avi"):
        next(predictor.video(tmp_path / "other.avi"))
    (tmp_path / "other.avi").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no film"):
        next(predictor.video(tmp_path / "other.avi"))


def test_the_program_says_one_sentence_a_photo_and_goes_on(photo: Path, tmp_path: Path) -> None:
    twin = tmp_path / "other" / "street.jpg"
    twin.parent.mkdir()
    twin.write_bytes(photo.read_bytes())
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photo.read_bytes()[:900])
    out = tmp_path / "seen"
    done = run_program("export.predict", photo, cut, "nowhere.jpg", twin, "--output", out)
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert [line.split(": ")[0] for line in told] == [str(photo), str(twin)]
    assert all("scale from EXIF" in line for line in told)
    assert "nowhere.jpg: no such source" in done.stderr
    assert "cut.jpg: cut short" in done.stderr
    names = {path.name.removesuffix("_overlay.png") for path in out.glob("*_overlay.png")}
    assert names == {f"{tmp_path.name}_street", "other_street"}


def test_a_film_goes_to_the_devices_program(tmp_path: Path) -> None:
    film, out = tmp_path / "walk.avi", tmp_path / "seen"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    for grey in (40, 200):
        writer.write(np.full((64, 96, 3), grey, np.uint8))
    writer.release()
    done = run_program("export.predict", film, "--output", out, "--fov_deg", 70)
    assert done.returncode == 0, done.stderr
    assert (out / "walk" / "overlay.mp4").is_file()


def test_wrong_command_lines(photo: Path) -> None:
    both = run_program("export.predict", photo, "--fov_deg", 60, "--focal_px", 300)
    assert "--focal_px: not allowed with argument --fov_deg" in both.stderr
    kinds = run_program("export.predict", photo, "--write", "overlay,gold")
    assert "--write knows overlay, depth, classes, npz, ply, got gold" in kinds.stderr
    lens = run_program("export.predict", photo, "--fov_deg", 500)
    assert "between 0 and 180 degrees, got 500" in lens.stderr


def test_every_command_is_a_program() -> None:
    for module, _ in COMMANDS.values():
        spec = importlib.util.find_spec(module)
        assert spec is not None
        if spec.submodule_search_locations:
            spec = importlib.util.find_spec(f"{module}.__main__")
        assert spec is not None
        assert spec.origin is not None
        assert '__name__ == "__main__"' in Path(spec.origin).read_text(encoding="utf-8")


def test_the_command_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert "mtdepth predict photo.jpg" in told
    assert all(f"  {word} " in told for word in COMMANDS)
    assert main([]) == 2
    assert main(["predct"]) == 2
    assert "did you mean `mtdepth predict`?" in capsys.readouterr().err
    assert main(["--completion"]) == 0
    check = subprocess.run(["bash", "-n"], input=capsys.readouterr().out, text=True, check=False)
    assert check.returncode == 0
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mtdepth")


def test_a_command_runs_its_program(tmp_path: Path, photo: Path) -> None:
    command = [sys.executable, "-m", "mtdepth", "predict", str(photo), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{photo}: ")
    wrong = [sys.executable, "-m", "mtdepth", "predict", "nowhere.jpg"]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode == 1


def test_the_default_network_is_the_one_that_comes_along(predictor: Predictor) -> None:
    assert predictor.file == exported_file("pretrained", precision="float32")
    told = json.loads(predictor.file.with_name("model.json").read_text(encoding="utf-8"))
    assert told["input"]["shape"][1:3] == [HEIGHT_PX, WIDTH_PX]
