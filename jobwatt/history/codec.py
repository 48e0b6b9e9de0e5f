"""Frozen values to plain JSON and back. What is not of its declared type is refused. Pure."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

MAX_TEXT = 100_000
MAX_NUMBER = 1e18

T = TypeVar("T")


class _Field(NamedTuple):
    name: str
    hint: Any
    default: Any


def plain(value: Any) -> Any:
    """Dataclasses and named tuples as objects without the fields that have their default."""
    kind: Any = type(value)
    known = _fields(kind)
    if known:
        return {
            field.name: plain(own)
            for field in known
            if (own := getattr(value, field.name)) != field.default
        }
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def restore(kind: type[T], data: Any) -> T:
    """The value that `plain` was given. Unknown keys are left out, as of a later version.

    ValueError: a field is missing, of another type, or out of bounds.
    """
    if not isinstance(data, dict):
        raise ValueError(f"no {kind.__name__}")
    values = {}
    declared: Any = kind
    for field in _fields(declared):
        if field.name in data:
            values[field.name] = _checked(field, field.hint, data[field.name])
        elif field.default is MISSING:
            raise ValueError(f"{field.name} is missing")
    return kind(**values)


@lru_cache(maxsize=64)
def _fields(kind: Any) -> tuple[_Field, ...]:
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return tuple(_Field(f.name, _simple(hints[f.name]), f.default) for f in fields(kind))
    if not hasattr(kind, "_field_defaults"):
        return ()
    hints = get_type_hints(kind)
    defaults: dict[str, Any] = kind._field_defaults
    return tuple(
        _Field(name, _simple(hint), defaults.get(name, MISSING)) for name, hint in hints.items()
    )


def _simple(hint: Any) -> Any:
    """The type, or a tuple of types for `X | None`; a generic tuple as it is."""
    arguments = get_args(hint)
    return arguments if type(None) in arguments else hint


def _checked(field: _Field, hint: Any, value: Any) -> Any:
    if isinstance(hint, tuple):  # `X | None`
        return None if value is None else _checked(field, hint[0], value)
    kind = type(value)
    if hint is float and kind in (int, float) and abs(value) < MAX_NUMBER:
        return value
    if hint is kind and (
        (kind is str and len(value) <= MAX_TEXT)
        or (kind is int and abs(value) < MAX_NUMBER)
        or kind is bool
    ):
        return value
    if get_origin(hint) is tuple and kind is list:
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_checked(field, inner[0], item) for item in value)
        if len(inner) == len(value):
            return tuple(_checked(field, one, item) for one, item in zip(inner, value, strict=True))
    if kind is dict and isinstance(hint, type) and _fields(hint):
        return restore(hint, value)
    raise ValueError(f"{field.name} is {value!r:.60}")


