"""Films: every frame that there is, what is missing, and the rate that it has."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdepth.files import DataError
from mtdepth.runtime.film import ASSUMED_FPS, Film, rgb_of

PICTURES = [np.full((48, 64, 3), (40 * number, 10, 200), np.uint8) for number in range(6)]


class FakeCapture:
    """Gives these frames, None where one cannot be decoded, and tells what it is told to."""

    def __init__(
        self, frames: Sequence[np.ndarray | None], *, times_ms: Sequence[float], told: float,
        num_told: int,
    ) -> None:  # fmt: skip
        self._frames, self._times_ms, self._number = frames, times_ms, -1
        self._told = {cv2.CAP_PROP_FPS: told, cv2.CAP_PROP_FRAME_COUNT: num_told}

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def get(self, what: int) -> float:
        return self._told[what] if what in self._told else self._times_ms[self._number]

    def grab(self) -> bool:
        return self.read()[0]

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._number += 1
        frame = self._frames[self._number] if self._number < len(self._frames) else None
        return frame is not None, frame

    def release(self) -> None:
        pass


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Film]:
    def make(
        frames: Sequence[np.ndarray | None],
        times_ms: Sequence[float] = range(99),
        told: float = 25.0,
        num_told: int = 0,
    ) -> Film:
        monkeypatch.setattr(
            cv2, "VideoCapture",
            lambda _: FakeCapture(frames, times_ms=times_ms, told=told, num_told=num_told),
        )  # fmt: skip
        (tmp_path / "film.webm").touch()
        return Film(tmp_path / "film.webm")

    return make


def test_a_frame_that_cannot_be_decoded_is_a_gap_and_what_lacks_is_told(
    fake: Callable[..., Film],
) -> None:
    film = fake([PICTURES[0], None, PICTURES[2]], num_told=100)
    for _ in range(2):  # each loop begins anew
        assert [frame.number for frame in film.frames()] == [0, 2]
        assert film.shortage == "gave 2 of 100 frames; was it cut short?"
    np.testing.assert_array_equal(next(film.frames()).image_rgb[0, 0], [200, 10, 0])


@pytest.mark.parametrize("num_told", [-1, 0, 2, 3, 4])
def test_a_count_that_is_off_by_one_or_not_known_is_no_shortage(
    fake: Callable[..., Film], num_told: int
) -> None:
    film = fake(PICTURES[:3], num_told=num_told)
    assert len(list(film.frames())) == 3
    assert film.shortage == ""


def test_a_real_film_that_was_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "2024-05-01T10:30:00.avi"  # no protocol of FFmpeg's
    writer = cv2.VideoWriter(
        str(tmp_path / "whole.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48)
    )
    noise = np.random.default_rng(0).integers(0, 256, (24, 48, 64, 3), np.uint8)
    for picture in noise:  # so that frames are most of the file
        writer.write(picture)
    writer.release()
    content = (tmp_path / "whole.avi").read_bytes()
    for share, shortage in ((1.0, ""), (0.5, r"of 24 frames; was it cut short")):
        path.write_bytes(content[: int(share * len(content))])
        film = Film(path)
        assert 0 < len(list(film.frames())) <= 24
        assert shortage in film.shortage
        assert bool(film.shortage) is bool(shortage)


def test_what_is_no_film_and_one_without_frames_name_the_remedy(
    tmp_path: Path, fake: Callable[..., Film], monkeypatch: pytest.MonkeyPatch
) -> None:
    film = fake([])
    assert not list(film.frames())
    assert "no frame that can be decoded; write its frames as pictures" in film.shortage
    monkeypatch.undo()
    (tmp_path / "walk.mp4").write_bytes(b"no film at all")
    with pytest.raises(DataError, match=r"walk\.mp4: no film that OpenCV can open; .*ffmpeg -i"):
        Film(tmp_path / "walk.mp4")
    with pytest.raises(FileNotFoundError):
        Film(tmp_path / "gone.mp4")


@pytest.mark.parametrize(
    ("told", "times_ms", "fps"),
    [
        (1000.0, np.arange(24) * 34.0, 1000 / 34),  # a browser's WebM, in milliseconds
        (80.0, np.arange(24) * 33.3, 30.03),
        (29.97, np.arange(24) * 33.367, 29.97),  # what it tells is exacter
        (1000.0, np.arange(24) * 1.0, ASSUMED_FPS),
        (90000.0, [0.0], ASSUMED_FPS),
        (0.0, np.zeros(24), ASSUMED_FPS),
        (25.0, np.zeros(24), 25.0),
    ],
)
def test_a_film_that_tells_a_false_rate_has_that_of_its_time_stamps(
    fake: Callable[..., Film], told: float, times_ms: Sequence[float], fps: float
) -> None:
    film = fake(len(times_ms) * PICTURES[:1], times_ms, told)
    assert film.fps == pytest.approx(fps, rel=1e-3)


def test_a_grey_cameras_pictures_have_three_channels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for image in (grey, grey[..., None], grey.astype(np.uint16) << 8):
        np.testing.assert_array_equal(rgb_of(image), np.stack([grey] * 3, axis=-1))


def test_a_frame_of_a_length_that_cannot_be_is_a_gap(
    tmp_path: Path,
) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for value in range(3):
        writer.write(np.full((48, 64, 3), 80 * value, np.uint8))
    writer.release()
    content = bytearray(path.read_bytes())
    # The index says that the second frame begins amid the first, where 2^31 - 1 stands as length.
    movi, second = content.index(b"movi"), content.index(b"idx1") + 8 + 16
    content[second + 8 : second + 12] = (40).to_bytes(4, "little")
    content[movi + 44 : movi + 48] = (2**31 - 1).to_bytes(4, "little")
    # FFmpeg is told of no codec, so that OpenCV's own reader takes the film.
    codec = content.index(b"MJPG", content.index(b"strf"))
    content[codec : codec + 4] = b"\xff" * 4
    path.write_bytes(content)
    reader = cv2.VideoCapture(str(path))
    assert reader.read()[0]
    with pytest.raises(cv2.error):
        reader.read()
    film = Film(path)
    assert [frame.number for frame in film.frames()] == [0, 2]
    assert film.fps == 10
