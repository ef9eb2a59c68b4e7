"""Damages the content of a file, by its bytes or by what its format holds; a seed says how."""

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Change = Callable[[bytes, random.Random], bytes]

_DEEP = "[" * 100_000
_WORDS = (
    *("", "nan", "inf", "-inf", "-1", "0", "-0.0", "1", "255", "65536", "1e400", "1e-320", "1e30"),
    *(
        "9" * 400,
        "1_000",
        "0x10",
        "٣",
        "true",
        "null",
        "x",
        "[]",
        "{}",
        "\0",
        "../..",
        "#",
        "a" * 999,
    ),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 1.5, -0.0, 1e300, 1e-300, 10**400, 2**63, float("nan")),
    *(float("inf"), "", "1", "x", "finishd", [], [0], [[]], {}, {"x": 1}, [None] * 1000, "a" * 999),
)


def by_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to four of: bits turned, bytes set, a part cut out, doubled, zeroed or put in."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((1, 1, 2, 4, 16, 256, len(data))))
        part = bytes(data[start:end])
        data[start:end] = rng.choice(
            (
                b"",
                part * 2,
                bytes(len(part)),
                b"\xff" * len(part),
                rng.randbytes(len(part)),
                bytes(byte ^ (1 << rng.randrange(8)) for byte in part[:4]) + part[4:],
                rng.randbytes(rng.randint(1, 8)) + part,
            )
        )
    return bytes(data)


def by_text(content: bytes, rng: random.Random) -> bytes:
    """A word or a line replaced, lost, doubled or moved; another encoding; or bytes."""
    if rng.random() < 0.2:
        return by_bytes(content, rng)
    text = content.decode("utf-8", "replace")
    if rng.random() < 0.1:
        ways = ("utf-8-sig", "utf-16", "utf-32", "cp500")
        return text.replace("\n", rng.choice(("\n", "\r\n", "\r"))).encode(
            rng.choice(ways), "replace"
        )
    if rng.random() < 0.3:
        lines = text.splitlines(keepends=True) or [""]
        at = rng.randrange(len(lines))
        lines[at : at + 1] = rng.choice(
            ([], [lines[at]] * 2, ["\n", lines[at]], [lines[at].strip()])
        )
        if rng.random() < 0.3:
            rng.shuffle(lines)
        text = "".join(lines)
    if words := list(re.finditer(r"[^\s,:\"]+", text)):
        for word in rng.sample(words, k=1):
            text = text[: word.start()] + rng.choice(_WORDS) + text[word.end() :]
    return text.encode("utf-8", "surrogatepass")


def by_json(content: bytes, rng: random.Random) -> bytes:
    """A value replaced by one of another kind or size, a name lost, added or misspelt; or text."""
    chance = rng.random()
    if chance < 0.2:
        return by_text(content, rng)
    if chance < 0.21:
        return rng.choice((_DEEP, '{"a":' * 100_000, "1" * 5000)).encode()
    root = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        root = _changed_inside(root, rng)
    return json.dumps(root).encode()


def _changed_inside(node: Any, rng: random.Random) -> Any:
    if not isinstance(node, dict | list) or not node or rng.random() < 0.03:
        return rng.choice(_near(node) if rng.random() < 0.4 else _VALUES)
    if isinstance(node, list):
        at = rng.randrange(len(node))
        ways = [node[:at] + node[at + 1 :], [*node, node[at]], node[::-1], dict(enumerate(node))]
        inside = [*node[:at], _changed_inside(node[at], rng), *node[at + 1 :]]
        return inside if rng.random() < 0.8 else rng.choice(ways)
    name = rng.choice(list(node))
    rest = {key: value for key, value in node.items() if key != name}
    if rng.random() < 0.8:
        return {**node, name: _changed_inside(node[name], rng)}
    return rng.choice((rest, {**rest, f"{name}s": node[name]}, {**node, "unknown": 1}, [node]))


def _near(value: Any) -> list[Any]:
    """Values that look like a right one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) < 1e100:
        return [str(value), f"{value}x", [value], {"value": value}]
    return [str(value), value + 0.5, -value, value * 1000, value / 1000, bool(value), [value]]


def by_json_lines(content: bytes, rng: random.Random) -> bytes:
    """One line as `by_json`, or text."""
    lines = content.splitlines()
    if rng.random() < 0.2 or not lines:
        return by_text(content, rng)
    at = rng.randrange(len(lines))
    lines[at] = by_json(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def by_png(content: bytes, rng: random.Random) -> bytes:
    """A chunk changed, lost or doubled under a right checksum; or bytes."""
    if rng.random() < 0.3 or len(content) < 20:
        return by_bytes(content, rng)
    chunks, at = [], 8
    while at + 8 <= len(content):
        length = struct.unpack(">I", content[at : at + 4])[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    which = rng.randrange(len(chunks))
    name, data = chunks[which]
    if name == b"IHDR" and rng.random() < 0.7:
        fields = list(struct.unpack(">IIBBBBB", data))
        fields[rng.randrange(7)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        fields[rng.randrange(2)] *= rng.choice((1, 0, 2, 1000))
        data = struct.pack(">IIBBBBB", *(min(field, 2**31 - 1) for field in fields))
    else:
        data = by_bytes(data, rng)
    chunks[which : which + 1] = rng.choice(([(name, data)], [(name, data)] * 2, []))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def by_arrays(content: bytes, rng: random.Random) -> bytes:
    """An array of an `.npz` with other values, type or shape, lost, renamed, or huge; or bytes."""
    if rng.random() < 0.3:
        return by_bytes(content, rng)
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = rng.choice(list(arrays))
    array = arrays.pop(name)
    stream = io.BytesIO()
    changed = _changed_array(array, rng)
    if changed is not None:
        arrays[name if rng.random() < 0.9 else f"{name}s"] = changed
    np.savez(stream, **arrays)
    if rng.random() < 0.05:
        header = (
            f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10 ** rng.randint(3, 13)},), }}"
        )
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr(
                "huge.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
            )
            if changed is None:
                archive.writestr(f"{name}.npy", archive.read("huge.npy"))
    return stream.getvalue()


def _changed_array(array: np.ndarray, rng: random.Random) -> np.ndarray | None:
    if array.dtype.kind in "US":
        text = (
            by_json(str(array).encode(), rng)
            if str(array).startswith("{")
            else by_text(str(array).encode(), rng)
        )
        return np.array(text.decode("utf-8", "replace"))
    other = rng.choice(
        ("float64", "float16", "int8", "int64", "bool", "complex64", "<U3", "float32")
    )
    with np.errstate(all="ignore"):
        ways: list[Callable[[], np.ndarray | None]] = [
            lambda: None,
            lambda: array.astype(other),
            lambda: array[..., None],
            lambda: array.ravel(),
            lambda: array[:0] if array.ndim else array[None],
            lambda: array.T,
            lambda: -array if array.dtype.kind in "if" else array,
            lambda: _with(array, rng, rng.choice((np.nan, np.inf, -1.0, 1e30, 250.0))),
        ]
        return rng.choice(ways)()


def _with(array: np.ndarray, rng: random.Random, value: float) -> np.ndarray:
    changed = np.array(array)
    if changed.size and (changed.dtype.kind == "f" or np.isfinite(value)):
        changed.flat[rng.randrange(changed.size)] = np.array(value).astype(changed.dtype)
    return changed


def by_array(content: bytes, rng: random.Random) -> bytes:
    """The array of an `.npy` with other values, type or shape; a huge one; or bytes."""
    chance = rng.random()
    if chance < 0.5:
        return by_bytes(content, rng)
    if chance < 0.55:
        return content.replace(b"(4, 6)", str((10 ** rng.randint(3, 13),)).encode())
    changed = _changed_array(np.load(io.BytesIO(content)), rng)
    stream = io.BytesIO()
    np.save(stream, np.array(None) if changed is None else changed, allow_pickle=True)
    return stream.getvalue()


def by_tensors(content: bytes, rng: random.Random) -> bytes:
    """A tensor of PyTorch's with other values, type or shape, lost or renamed; or bytes."""
    import torch

    is_archive = content.startswith(b"PK")
    chance = rng.random()
    if is_archive and chance < 0.3:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        return by_zip(pickled, by_bytes)(content, rng)
    if chance < 0.6:
        return by_bytes(content, rng)
    whole = torch.load(io.BytesIO(content), weights_only=True)
    state = whole.get("state_dict", whole)
    name = rng.choice(list(state))
    tensor = state.pop(name)
    with np.errstate(all="ignore"):
        changed = _changed_array(tensor.numpy(), rng)
    others = [tensor.to(torch.bfloat16), tensor.to_sparse(), tensor.to("meta"), 1.5, [tensor], None]
    if rng.random() < 0.2:
        state[name] = rng.choice(others)
    elif changed is not None and changed.dtype.kind != "U":
        new_name = name if rng.random() < 0.9 else rng.choice((f"{name}s", 3))
        state[new_name] = torch.from_numpy(np.ascontiguousarray(changed))
    if rng.random() < 0.05:
        whole = rng.choice(
            (state, [state], {"state_dict": list(state)}, {"state_dict": None}, None)
        )
    stream = io.BytesIO()
    torch.save(whole, stream, _use_new_zipfile_serialization=is_archive)
    return stream.getvalue()


def by_hdf5(content: bytes, rng: random.Random) -> bytes:
    """A data set of HDF5 with other values, type or shape, or lost; or bytes."""
    import h5py

    if rng.random() < 0.5:
        return by_bytes(content, rng)
    stream, names = io.BytesIO(content), []
    with h5py.File(stream, "r+") as file:
        file.visititems(
            lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None
        )
        name = rng.choice(names)
        array = np.asarray(file[name])
        del file[name]
        if (changed := _changed_array(array, rng)) is not None and changed.dtype.kind != "U":
            file[name] = changed
    return stream.getvalue()


def by_zip(name: str, change: Change) -> Change:
    """A member of an archive changed under a right checksum; or bytes."""

    def changed(content: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.4:
            return by_bytes(content, rng)
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
            for member in old.namelist():
                data = old.read(member)
                new.writestr(member, change(data, rng) if member == name else data)
        return stream.getvalue()

    return changed
