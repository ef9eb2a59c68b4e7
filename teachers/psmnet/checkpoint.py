"""PSMNet's weights: the authors' PyTorch checkpoints, and our own file that holds the same tensors.

Our file is one `.npz` with the tensors under the authors' names and in PyTorch's layout, and a
JSON entry `mtdepth` that says where they came from, which upsampling rule they were trained with,
and a checksum of it all.
"""

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from mtdepth.files import (
    DAMAGE,
    DataError,
    UserError,
    atomic_path,
    check_regular,
    parse_json,
    read_npz,
    sha256_of,
)
from teachers.psmnet.sizes import check_max_disparity

Tensors = Mapping[str, npt.NDArray[Any]]

SUFFIX = ".npz"
AUTHORS_SUFFIXES = (".tar", ".pth", ".pt")
AUTHORS_MAX_DISPARITY_PX = 192  # of every released checkpoint; the paper, section 4.1
WHERE = (
    "The authors publish their checkpoints at github.com/JiaRenChang/PSMNet, section "
    '"Pretrained Model"; teachers.psmnet.convert turns one into a .npz'
)

_FORMAT = "mtdepth.psmnet 1"
_KINDS = {
    **{"format": str, "sha256": str, "align_corners": bool, "max_disparity_px": int},
    **{"origin": str, "origin_sha256": str},
}
_DESCRIPTION = "mtdepth"
_COUNTER = ".num_batches_tracked"  # of PyTorch since 0.4.1; changes no output


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PsmnetCheckpoint:
    """Weights and what must be known to run them.

    Attributes:
      tensors: float32 by the authors' names, without `module.`, in PyTorch's layout.
      align_corners: The rule of every upsampling that the weights were trained with.
      max_disparity_px: What they were trained for; the network runs them with any other as well.
      origin: Name of the file that they were read from, or the run that trained them.
      origin_sha256: Of that file; empty where there was none.

    Raises:
      UserError: If `max_disparity_px` is not a positive multiple of 16.
    """

    tensors: Tensors
    align_corners: bool
    max_disparity_px: int
    origin: str
    origin_sha256: str = ""

    def __post_init__(self) -> None:
        """Rejects a range that would fail at the first picture."""
        check_max_disparity(self.max_disparity_px)

    @property
    def sha256(self) -> str:
        """Checksum of the tensors and of `align_corners`: of everything that changes an output."""
        digest = hashlib.sha256(f"align_corners={self.align_corners}".encode())
        for name in sorted(self.tensors):
            tensor = np.ascontiguousarray(self.tensors[name])
            digest.update(f"{name} {tensor.shape} {tensor.dtype.str}".encode())
            digest.update(tensor.tobytes())
        return digest.hexdigest()


def read_checkpoint(
    path: Path, *, align_corners: bool | None = None, max_disparity_px: int | None = None
) -> PsmnetCheckpoint:
    """Reads the authors' checkpoint or our file.

    Args:
      path: A `.tar`, `.pth` or `.pt` of PyTorch (which must be installed then), or our `.npz`.
      align_corners: Of the authors' checkpoint, which does not tell: true for the 2018 releases,
        false for the one of 2021. None is true, with a warning. Our file knows; a value that
        contradicts it is an error.
      max_disparity_px: Overrides the file's, or the 192 of the authors.

    Raises:
      FileNotFoundError: If there is no such file; says where the authors publish theirs.
      ImportError: If PyTorch is needed and not installed.
      DataError: If the file is no PSMNet checkpoint, a tensor is missing, extra or of another
        shape (named), or our file's checksum does not fit.
      UserError: If the suffix is unknown, `align_corners` contradicts the file, or
        `max_disparity_px` is not a positive multiple of 16.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file. {WHERE}")
    check_regular(path)
    if path.suffix == SUFFIX:
        checkpoint = _read_ours(path)
        if align_corners not in (None, checkpoint.align_corners):
            raise UserError(
                f"{path} holds weights with align_corners={checkpoint.align_corners}; leave the "
                "flag out, or convert the authors' checkpoint again with the other value"
            )
    elif path.suffix in AUTHORS_SUFFIXES:
        checkpoint = _read_authors(path, align_corners=align_corners)
    else:
        raise UserError(
            f"{path}: PSMNet weights end in {SUFFIX} (ours) or {', '.join(AUTHORS_SUFFIXES)} "
            "(the authors')"
        )
    if max_disparity_px is None:
        return checkpoint
    return dataclasses.replace(checkpoint, max_disparity_px=max_disparity_px)


def save(checkpoint: PsmnetCheckpoint, path: Path) -> None:
    """Writes our file, atomically.

    Raises:
      UserError: If the path does not end in `.npz`.
    """
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: the converted file must end in {SUFFIX}")
    description = {
        "format": _FORMAT,
        "sha256": checkpoint.sha256,
        "align_corners": checkpoint.align_corners,
        "max_disparity_px": checkpoint.max_disparity_px,
        "origin": checkpoint.origin,
        "origin_sha256": checkpoint.origin_sha256,
    }
    entries: dict[str, Any] = {**checkpoint.tensors, _DESCRIPTION: json.dumps(description)}
    with atomic_path(path) as temporary:
        np.savez(temporary, **entries)


def _read_ours(path: Path) -> PsmnetCheckpoint:
    entries = read_npz(path)
    try:
        description = parse_json(path, str(entries.pop(_DESCRIPTION)))
        for name, kind in _KINDS.items():
            if type(description[name]) is not kind:
                raise TypeError(f"{name} is {description[name]!r}")
        checkpoint = PsmnetCheckpoint(
            tensors=entries,
            align_corners=description["align_corners"],
            max_disparity_px=description["max_disparity_px"],
            origin=description["origin"],
            origin_sha256=description["origin_sha256"],
        )
        format_name, sha256 = description["format"], description["sha256"]
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(
            path, f"not a file of teachers.psmnet.convert ({error!r}); convert the weights again"
        ) from error
    if format_name != _FORMAT:
        raise DataError(path, f"format {format_name!r}, this program reads {_FORMAT!r}")
    if checkpoint.sha256 != sha256:
        raise DataError(
            path,
            f"its content has the checksum {checkpoint.sha256[:12]}..., written was "
            f"{sha256[:12]}...: the file is damaged; convert the weights again",
        )
    return checkpoint


def _read_authors(path: Path, *, align_corners: bool | None) -> PsmnetCheckpoint:
    tensors = _checked(path, _load_by_torch(path))
    if align_corners is None:
        align_corners = True
        logging.warning(
            "%s does not say which upsampling rule it was trained with; align_corners=True is "
            "taken, right for the authors' releases of 2018 (2021: --noalign_corners). The wrong "
            "rule scales disparities by about 1.17: data_prep.audit_teachers compares with LiDAR.",
            path,
        )
    return PsmnetCheckpoint(
        tensors=tensors,
        align_corners=align_corners,
        max_disparity_px=AUTHORS_MAX_DISPARITY_PX,
        origin=path.name,
        origin_sha256=sha256_of(path),
    )


def _load_by_torch(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is a PyTorch checkpoint: install torch to read it, or convert it where torch "
            f"is installed (python -m teachers.psmnet.convert) and give the {SUFFIX}"
        ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content.get("state_dict", content) if isinstance(content, dict) else None
        if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
            raise DataError(
                path, 'not a PSMNet checkpoint: expected {"state_dict": {"module.NAME": tensor}}'
            )
        return {
            str(name).removeprefix("module."): value.detach().cpu().float().numpy()
            for name, value in state.items()
        }
    except (pickle.UnpicklingError, *DAMAGE) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise DataError(path, f"not a checkpoint that torch.load reads ({reason})") from error


def _checked(path: Path, tensors: Tensors) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors that the network takes, as float32; every other name or shape is an error."""
    from teachers.psmnet.weights import parameter_shapes

    expected = parameter_shapes()
    given = {name: value for name, value in tensors.items() if not name.endswith(_COUNTER)}
    faults = [f"misses {name}" for name in expected if name not in given]
    faults += [f"has {name}, which PSMNet has not" for name in given if name not in expected]
    faults += [
        f"has {name} of shape {given[name].shape}, PSMNet's is {shape}"
        for name, shape in expected.items()
        if name in given and given[name].shape != shape
    ]
    faults += [
        f"has {name} with a value that is no finite number"
        for name in expected
        if name in given and not np.isfinite(given[name]).all()
    ]
    if faults:
        more = f" (and {len(faults) - 3} more faults)" if len(faults) > 3 else ""
        raise DataError(
            path,
            f"not a checkpoint of PSMNet's stacked hourglass: it {'; '.join(faults[:3])}{more}",
        )
    return {name: given[name].astype(np.float32) for name in expected}
