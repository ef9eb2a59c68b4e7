"""Reading the authors' checkpoints strictly, and our own file with its checksum."""

import builtins
import functools
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from oracles.psmnet_torch import random_state

from mtdepth.files import DataError
from teachers.psmnet.checkpoint import PsmnetCheckpoint, read_checkpoint, save

State = dict[str, torch.Tensor]


@functools.cache
def state() -> State:
    return random_state(seed=2)


def write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_a_release_is_read_with_and_without_the_prefix(prefix: str, tmp_path: Path) -> None:
    wrapped = {"epoch": 3, "state_dict": {prefix + name: t for name, t in state().items()}}
    found = read_checkpoint(write(tmp_path / "a.tar", wrapped), align_corners=False)
    assert not found.align_corners
    assert found.max_disparity_px == 192
    assert found.origin == "a.tar"
    assert len(found.origin_sha256) == 64
    expected = {name for name in state() if not name.endswith("num_batches_tracked")}
    assert set(found.tensors) == expected
    for name in expected:
        np.testing.assert_array_equal(found.tensors[name], state()[name].numpy())


def test_a_bare_state_without_counters_is_read(tmp_path: Path) -> None:
    # PyTorch before 0.4.1 wrote no num_batches_tracked.
    old = {n: t for n, t in state().items() if not n.endswith("num_batches_tracked")}
    found = read_checkpoint(write(tmp_path / "a.pth", old), align_corners=True)
    assert found.align_corners


def test_an_untold_rule_is_taken_as_true_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        found = read_checkpoint(write(tmp_path / "a.tar", {"state_dict": state()}))
    assert found.align_corners
    assert "--noalign_corners" in caplog.text


@pytest.mark.parametrize("max_disparity_px", [100, 0, -16])
def test_a_range_that_the_network_cannot_have_is_refused(
    max_disparity_px: int, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tar", {"state_dict": state()})
    with pytest.raises(ValueError, match="positive multiple of 16, got"):
        read_checkpoint(path, align_corners=True, max_disparity_px=max_disparity_px)


def without(name: str) -> Callable[[State], State]:
    return lambda tensors: {n: t for n, t in tensors.items() if n != name}


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (without("dres3.conv5.0.weight"), r"misses dres3\.conv5\.0\.weight"),
        (lambda t: {**t, "dres5.0.weight": torch.zeros(3)}, r"has dres5\.0\.weight, which"),
        (
            lambda t: {**t, "classif3.2.weight": torch.zeros(2, 32, 3, 3, 3)},
            r"classif3\.2\.weight of shape \(2, 32, 3, 3, 3\), PSMNet's is \(1, 32, 3, 3, 3\)",
        ),
        (
            lambda t: {**t, "dres0.0.1.bias": torch.full((32,), torch.nan)},
            r"has dres0\.0\.1\.bias with a value that is no finite number",
        ),
    ],
    ids=["missing", "extra", "shape", "not finite"],
)
def test_a_tensor_that_does_not_fit_is_named(
    damage: Callable[[State], State], named: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "bad.tar", {"state_dict": damage(state())})
    with pytest.raises(DataError, match=named):
        read_checkpoint(path, align_corners=True)


def test_another_networks_checkpoint_is_refused_in_few_words(tmp_path: Path) -> None:
    path = write(tmp_path / "resnet.pth", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    with pytest.raises(DataError, match="not a checkpoint of PSMNet") as caught:
        read_checkpoint(path, align_corners=True)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, {"epoch": 4}])
def test_a_file_of_something_else_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a PSMNet checkpoint"):
        read_checkpoint(write(tmp_path / "bad.tar", content), align_corners=True)


def test_tensors_of_another_kind_are_read_or_refused(tmp_path: Path) -> None:
    halves = {name: tensor.bfloat16() for name, tensor in state().items()}
    path = write(tmp_path / "halves.tar", {"state_dict": halves})
    found = read_checkpoint(path, align_corners=True).tensors["dres0.0.1.bias"]
    np.testing.assert_array_equal(found, halves["dres0.0.1.bias"].float().numpy())
    sparse = {"dres0.0.1.bias": torch.zeros(32).to_sparse()}
    with pytest.raises(DataError, match=r"torch\.load"):
        read_checkpoint(write(tmp_path / "bad.tar", {"state_dict": sparse}), align_corners=True)


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.tar", {"state_dict": Path("x")})  # any class of its own
    with pytest.raises(DataError, match=r"torch\.load"):
        read_checkpoint(path, align_corners=True)


@pytest.mark.parametrize("content", [b"", b"hello, this is a web page"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.tar"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.tar"):
        read_checkpoint(path, align_corners=True)


def test_missing_weights_say_where_the_authors_publish_theirs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="JiaRenChang/PSMNet"):
        read_checkpoint(tmp_path / "absent.tar")


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    path.touch()
    with pytest.raises(ValueError, match=r"\.npz"):
        read_checkpoint(path)


def test_without_torch_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.tar", {})
    real_import = builtins.__import__

    def without_torch(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(ImportError, match=r"install torch.*teachers\.psmnet\.convert"):
        read_checkpoint(path)


def small() -> PsmnetCheckpoint:
    return PsmnetCheckpoint(
        tensors={"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)},
        align_corners=False,
        max_disparity_px=64,
        origin="run 7",
    )


def test_our_file_brings_everything_back(tmp_path: Path) -> None:
    save(small(), tmp_path / "w.npz")
    found = read_checkpoint(tmp_path / "w.npz")
    assert (found.align_corners, found.max_disparity_px, found.origin) == (False, 64, "run 7")
    np.testing.assert_array_equal(found.tensors["a.weight"], small().tensors["a.weight"])
    assert found.sha256 == small().sha256
    assert read_checkpoint(tmp_path / "w.npz", max_disparity_px=96).max_disparity_px == 96
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_our_file_contradicting_the_flag_is_an_error(tmp_path: Path) -> None:
    save(small(), tmp_path / "w.npz")
    assert not read_checkpoint(tmp_path / "w.npz", align_corners=False).align_corners
    with pytest.raises(ValueError, match="align_corners=False"):
        read_checkpoint(tmp_path / "w.npz", align_corners=True)


def test_a_changed_tensor_fails_the_checksum(tmp_path: Path) -> None:
    save(small(), tmp_path / "w.npz")
    entries = dict(np.load(tmp_path / "w.npz"))
    entries["a.weight"][1, 2] += 1e-3
    np.savez(tmp_path / "w.npz", **entries)
    with pytest.raises(DataError, match="checksum"):
        read_checkpoint(tmp_path / "w.npz")


def test_the_checksum_covers_the_rule_and_the_names() -> None:
    import dataclasses

    other_rule = dataclasses.replace(small(), align_corners=True)
    other_name = dataclasses.replace(small(), tensors={"b.weight": small().tensors["a.weight"]})
    assert len({small().sha256, other_rule.sha256, other_name.sha256}) == 3


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive"])
def test_a_broken_file_of_ours_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"w\.npz"):
        read_checkpoint(path)


def test_another_archive_is_not_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", x=np.zeros(3))
    with pytest.raises(DataError, match="convert"):
        read_checkpoint(tmp_path / "w.npz")


def test_our_file_is_written_under_its_suffix_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.npz"):
        save(small(), tmp_path / "w.h5")


@pytest.mark.parametrize(
    "change", [{"sha256": 5}, {"align_corners": 1}, {"max_disparity_px": True}]
)
def test_a_description_of_other_kinds_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    save(small(), tmp_path / "w.npz")
    entries = dict(np.load(tmp_path / "w.npz"))
    (name,) = set(entries) - {"a.weight"}
    entries[name] = np.array(json.dumps(json.loads(str(entries[name])) | change))
    np.savez(tmp_path / "w.npz", **entries)
    with pytest.raises(DataError, match=r"w\.npz: .*convert the weights again"):
        read_checkpoint(tmp_path / "w.npz")


@pytest.mark.parametrize("error", [struct.error("unpack requires 8 bytes"), AssertionError()])
def test_what_torch_raises_of_damage_is_no_fault_of_ours(error: Exception, tmp_path: Path) -> None:
    (tmp_path / "w.tar").write_bytes(b"x")
    with (
        mock.patch("torch.load", side_effect=error),
        pytest.raises(DataError, match=r"w\.tar: not a checkpoint that torch\.load reads"),
    ):
        read_checkpoint(tmp_path / "w.tar")
