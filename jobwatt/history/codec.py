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
    simple: frozenset[type]
    """Types of a value that needs no look inside; empty for tuples and the like."""


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
    declared: Any = kind
    known = _by_name(declared)
    values = {}
    for name, value in data.items():
        field = known.get(name)
        if field is None:
            continue
        if type(value) in field.simple and _is_bounded(value):
            values[name] = value
        else:
            values[name] = _checked(name, field.hint, value)
    missing = [f.name for f in known.values() if f.default is MISSING and f.name not in values]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    return kind(**values)


@lru_cache(maxsize=64)
def _by_name(kind: Any) -> dict[str, _Field]:
    return {field.name: field for field in _fields(kind)}


@lru_cache(maxsize=64)
def _fields(kind: Any) -> tuple[_Field, ...]:
    if is_dataclass(kind):
        defaults = {f.name: f.default for f in fields(kind)}
    elif hasattr(kind, "_field_defaults"):
        defaults = {name: kind._field_defaults.get(name, MISSING) for name in kind._fields}
    else:
        return ()
    hints = {name: _simple(hint) for name, hint in get_type_hints(kind).items()}
    return tuple(
        _Field(name, hints[name], default, _types(hints[name]))
        for name, default in defaults.items()
    )


def _types(hint: Any) -> frozenset[type]:
    if isinstance(hint, tuple):  # `X | None`
        inner = _types(hint[0])
        return inner | {type(None)} if inner else inner
    if hint is float:
        return frozenset({float, int})
    return frozenset({hint}) if hint in (str, int, bool) else frozenset()


def _is_bounded(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return len(value) <= MAX_TEXT
    return value is None or kind is bool or abs(value) < MAX_NUMBER


def _simple(hint: Any) -> Any:
    """The type, or a tuple of types for `X | None`; a generic tuple as it is."""
    arguments = get_args(hint)
    return arguments if type(None) in arguments else hint


def _checked(name: str, hint: Any, value: Any) -> Any:
    kind = type(value)
    if isinstance(hint, tuple) and value is not None:  # `X | None`
        return _checked(name, hint[0], value)
    if kind in _types(hint) and _is_bounded(value):
        return value
    if get_origin(hint) is tuple and kind is list:
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return tuple(_checked(name, inner[0], item) for item in value)
        if len(inner) == len(value):
            return tuple(_checked(name, one, item) for one, item in zip(inner, value, strict=True))
    if kind is dict and isinstance(hint, type) and _fields(hint):
        return restore(hint, value)
    raise ValueError(f"{name} is a {kind.__name__}, or out of bounds")
