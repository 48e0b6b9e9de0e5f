"""Any value of a frozen type, made from its annotations."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(10**17), 10**17),
    float: st.floats(-1e17, 1e17) | st.integers(-(10**6), 10**6).map(float),
    str: st.text(max_size=12),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the codec knows them: within its bounds, no NaN."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    inner = get_args(hint)
    if NoneType in inner:
        return st.none() | values(next(one for one in inner if one is not NoneType))
    if get_origin(hint) is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(values(inner[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, inner))
    return st.fixed_dictionaries(
        {name: values(own) for name, own in get_type_hints(hint).items()}
    ).map(lambda fields: hint(**fields))
