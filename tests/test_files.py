"""Files: a fault is named, and nothing half-written looks whole."""

import contextlib
import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdepth.files import (
    DataError,
    atomic_path,
    content_digest,
    disk_error,
    disk_errors_named,
    is_there,
    read_json,
    read_json_lines,
    read_npy,
    read_npz,
    remove_leftovers,
    temporary_folder,
    visible_files,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with contextlib.suppress(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_name_keeps_every_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "last.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")


def test_what_a_killed_process_left_is_not_listed(tmp_path: Path) -> None:
    for name in ("b.json", ".a-x1.json", "a.json", "a.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in visible_files(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert visible_files(tmp_path / "absent") == []


def test_broken_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"a\.json"):
        read_json(path)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_file_has_the_mode_that_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == mode


def test_what_is_renamed_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_json(path, {})
    assert synced == [(path.stat().st_ino, False)]


def test_files_made_anew_at_equal_sizes_have_another_digest(tmp_path: Path) -> None:
    # Stored without compression, so that every picture of a size has as many bytes.
    raw = [cv2.IMWRITE_PNG_COMPRESSION, 0]
    image = np.zeros((128, 416), np.uint16)
    digests = set()
    for value in (0, 1):
        image[32, 200] = value  # a quarter down: in no block that is read
        cv2.imwrite(str(tmp_path / "a.png"), image, raw)
        digests.add(content_digest([("a", tmp_path / "a.png"), ("b", None)]))
        assert (tmp_path / "a.png").stat().st_size > 100_000
    assert len(digests) == 2
    copied = tmp_path / "elsewhere.png"
    copied.write_bytes((tmp_path / "a.png").read_bytes())
    assert content_digest([("a", copied), ("b", None)]) in digests
    assert content_digest([("a", copied), ("c", None)]) not in digests
    with pytest.raises(FileNotFoundError):
        content_digest([("a", tmp_path / "absent.png")])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": 1', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": %s}' % (b"9" * 5000), "64 bits"),
        (b'{"a": 1e999}', "64 bits"),
        (b'{"a": NaN}', "NaN is no number"),
    ],
)
def test_json_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.json: .*{why}"):
        read_json(path)


def test_a_mark_at_the_beginning_of_a_text_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_what_has_no_end_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    for name in ("pipe.json", "loop.json"):
        for read in (read_json, read_json_lines, read_npz):
            with pytest.raises(DataError, match=name):
                read(tmp_path / name)


def test_what_is_no_file_is_not_taken_for_an_absent_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert not is_there(path)
    path.write_text("{}")
    assert is_there(path)
    assert not is_there(path / "inside")
    for make, why in (
        (path.mkdir, "is a folder"),
        (lambda: os.mkfifo(path), "a pipe"),
        (lambda: path.symlink_to(path), "leads to no file"),
        (lambda: path.symlink_to(tmp_path / "gone"), "link to .*gone, which is not there"),
    ):
        path.rmdir() if path.is_dir() else path.unlink()
        make()
        with pytest.raises(DataError, match=rf"state\.json: .*{why}"):
            is_there(path)


def test_a_line_that_is_no_record_is_refused_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n[2]\n')
    with pytest.raises(DataError, match="line 2 is no record"):
        read_json_lines(tmp_path / "a.jsonl")


def test_arrays_that_cannot_be_used_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, depth=np.array([1.0, np.nan]))
    with pytest.raises(DataError, match="depth holds NaN"):
        read_npz(path)
    np.savez(path, depth=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"a\.npz"):
        read_npz(path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a\.npz"):
            read_npz(path)


def test_leftovers_of_dead_writers_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead = tmp_path / ".best-0123abcd.weights.h5"
    for path in (dead, tmp_path / ".hidden", tmp_path / ".my-notes.txt"):
        path.write_text("x")
    with atomic_path(tmp_path / "last.npz") as living:
        remove_leftovers(tmp_path)
        assert living.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(".hidden", ".my-notes.txt", "last.npz")
    ]
    remove_leftovers(tmp_path / "absent")


def test_a_temporary_folder_goes_and_so_do_those_of_the_dead(tmp_path: Path) -> None:
    dead, other = tmp_path / ".[a]-x1", tmp_path / ".a-x1"
    for left in (dead, other):
        left.mkdir()
        (left / "half").write_text("x")
    with temporary_folder(tmp_path, prefix=".[a]-") as first:
        assert not dead.exists()
        with temporary_folder(tmp_path, prefix=".[a]-") as second:
            assert first.is_dir()
            second.rename(tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "made"]


def test_a_full_disk_is_known_in_the_words_of_numpy_and_tensorflow_too(tmp_path: Path) -> None:
    assert disk_error(OSError(errno.EROFS, "Read-only file system")) == errno.EROFS
    assert disk_error(OSError("53248 requested and 15328 written")) == errno.ENOSPC
    assert disk_error(RuntimeError("/x/variables; No space left on device")) == errno.ENOSPC
    assert disk_error(OSError("obtaining file position failed")) is None
    assert disk_error(ValueError("53248 requested and 15328 written")) is None
    quota = RuntimeError(f"variables; {os.strerror(errno.EDQUOT)} [Op:X]")
    with pytest.raises(OSError, match=rf": '{tmp_path}'") as told, disk_errors_named(tmp_path):
        raise quota
    assert told.value.errno == errno.EDQUOT
    with pytest.raises(RuntimeError, match="out of memory"), disk_errors_named(tmp_path):
        raise RuntimeError("out of memory")


def test_a_damaged_array_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kept.npy"
    np.save(path, np.ones((4, 6), np.float32))
    np.testing.assert_array_equal(read_npy(path), np.ones((4, 6)))
    right = path.read_bytes()
    huge = right.replace(b"(4, 6)", b"(9999999999999,)")
    for damaged in (right[:-1], b"", right.replace(b"(4, 6)", b"((4, 6"), huge):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"kept\.npy: not an array"):
            read_npy(path)
    np.save(path, np.full(3, np.nan))
    with pytest.raises(DataError, match="NaN"):
        read_npy(path)
