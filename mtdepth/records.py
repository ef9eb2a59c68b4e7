"""Records that stand in JSON: dataclasses made of it, with every value of its field's type."""

import dataclasses
import difflib
import math
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mtdepth.files import UserError

Record = TypeVar("Record", bound=Any)


def rebuilt(kind: type[Record], content: Any) -> Record:
    """Makes a dataclass out of what was written of it as JSON, records inside it likewise.

    Args:
      kind: The dataclass.
      content: Its fields.

    Raises:
      UserError: If a field is missing, unknown, of another type or out of range; names it.
    """
    if not isinstance(content, Mapping):
        raise UserError(
            f"must be a record with the fields of {kind.__name__}, got {_short(content)}"
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in content:
        if name not in fields:
            raise UserError(f"{kind.__name__} has no field {name!r}; {meant(name, fields)}")
    for name, field in fields.items():
        has_default = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in content and not has_default:
            raise UserError(f"{kind.__name__} lacks the field {name!r}")
    hints = get_type_hints(kind)
    return kind(**{name: _read(value, hints[name], name) for name, value in content.items()})


def meant(name: str, known: Iterable[str]) -> str:
    """What may have been meant by a misspelt name, else all the known ones."""
    names = sorted(known)
    if near := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(names)}"


def _read(value: Any, hint: Any, name: str) -> Any:
    kinds = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        if value is None and type(None) in kinds:
            return None
        (hint,) = (kind for kind in kinds if kind is not type(None))
        return _read(value, hint, name)
    if dataclasses.is_dataclass(hint):
        try:
            return rebuilt(hint, value)  # type: ignore[arg-type]
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
    if get_origin(hint) is Literal:
        if value not in kinds:
            raise UserError(f"{name} must be one of {', '.join(map(str, kinds))}, got {value!r}")
        return value
    if get_origin(hint) is tuple:
        return _read_tuple(value, kinds, name)
    if hint is float and type(value) is int and abs(value) < 2**63:
        return float(value)  # 1 may stand for 1.0
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        raise UserError(f"{name} must be of type {hint.__name__}, got {_short(value)}")
    return value


def _read_tuple(value: Any, kinds: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{name} must be a list, got {_short(value)}")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise UserError(f"{name} must be a list of {len(kinds)}, got {_short(value)}")
    return tuple(
        _read(item, kind, f"{name}[{index}]")
        for index, (item, kind) in enumerate(zip(value, kinds, strict=True))
    )


def _short(value: Any) -> str:
    return f"{value!r:.60} of type {type(value).__name__}"
