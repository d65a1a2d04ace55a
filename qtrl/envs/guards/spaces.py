"""Spaces: which of them qtrl learns with, the names of their parts, and values that mean the same as theirs."""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple, flatdim

from qtrl.errors import EnvError

NUMBERS = "biuf"
"""Kinds of NumPy's types that are real numbers."""
NO_BOUND = 1e10
"""A bound of an action from here on is none: float32's largest number, or MuJoCo's largest value."""
CHANNELS = (1, 3, 4)
SMALLEST_IMAGE = 8
"""Pixels along an edge, below which floats in three dimensions are taken for a table of numbers."""


class MisfitError(Exception):
    """A value is not one of its space; the message says what came and what was expected."""


def check_action_space(space: Space, env_id: str) -> None:
    """Raise an `EnvError` unless the space is a Box of floats whose bounds can be reached."""
    found, wanted = " ".join(str(space).split()), "qtrl needs a Box of floats with finite bounds"
    floats = isinstance(space, Box) and np.issubdtype(space.dtype, np.floating) and np.prod(space.shape)
    if not floats or not space.is_bounded():
        raise EnvError(f"{env_id}: the action space is {found}, {wanted}")
    largest = min(NO_BOUND, float(np.finfo(space.dtype).max))
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    if max(np.abs(low).max(), np.abs(high).max()) >= largest:
        advice = "give those that actions need, as by env.wrappers (docs/environments.md)"
        raise EnvError(f"{env_id}: the bounds of the action space {found} are none, {wanted}: {advice}")
    if (low > high).any() or (low == high).all():
        raise EnvError(f"{env_id}: the bounds of the action space {found} leave no choice, {wanted}")


def check_observation_space(space: Space, env_id: str, name: str = "") -> None:
    """Raise an `EnvError` for a space that has no fixed length, or holds an image."""
    where = f"the observation {name!r}" if name else "the observation space"
    if not space.is_np_flattenable:
        raise EnvError(f"{env_id}: {where} is {type(space).__name__}, qtrl needs one of fixed length")
    if isinstance(space, Box) and _is_image(space):
        reason = "qtrl's networks learn from vectors, not from pixels; choose the state's own numbers, or let"
        kind = f"an image, Box{space.shape} of {space.dtype}"
        raise EnvError(f"{env_id}: {where} is {kind}: {reason} env.wrappers compute features (docs/environments.md)")
    for part, inner in _parts_of(space):
        check_observation_space(inner, env_id, f"{name}.{part}" if name else part)


def observation_parts(space: Space) -> Iterator[tuple[str, int]]:
    """Yield names and flat lengths of the parts of a Dict or Tuple, in the order in which they are flattened.

    Names of parts within parts are joined by dots; a space without parts gives nothing.
    """
    for name, inner in _parts_of(space):
        if list(_parts_of(inner)):
            yield from ((f"{name}.{part}", length) for part, length in observation_parts(inner))
        else:
            yield name, flatdim(inner)


def conform(space: Space, value: Any) -> Any:
    """Return a copy of a value in its space's own form, where it means the same; whole numbers may keep their dtype.

    Other types of numbers, lists for arrays, and an array of one element for a number mean the same. Nothing is
    broadcast or reshaped, and fractions are not rounded to whole numbers.

    Raises:
        MisfitError: The value does not mean one of the space's, but for numbers beyond the bounds of a Box.
    """
    if isinstance(space, Box):
        numbers = _numbers(value, space.shape, whole=space.dtype.kind != "f")
        if space.dtype.kind != "f" or numbers.dtype == space.dtype:
            return numbers
        with np.errstate(over="ignore"):
            return numbers.astype(space.dtype)
    if isinstance(space, Discrete | MultiDiscrete | MultiBinary):
        numbers = _numbers(value, space.shape or (), whole=True)
        member = int(numbers) if isinstance(space, Discrete) else numbers.astype(space.dtype)
        return _contained(space, member)
    if isinstance(space, Dict):
        return _mapping(space, value)
    if isinstance(space, Tuple):
        if not isinstance(value, tuple | list) or len(value) != len(space):
            raise MisfitError(f"{described(value)}, expected {len(space)} parts")
        return tuple(_part(inner, str(i), value[i]) for i, inner in enumerate(space))
    return _contained(space, value)


def described(value: Any) -> str:
    """Say on one line what a value is."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and {value.dtype}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} values"
    if value is None or isinstance(value, str | int | float | complex | np.generic):
        return reprlib.repr(value)
    return f"a {type(value).__name__}"


def _is_image(space: Box) -> bool:
    """Tell images by bytes from 0 to 255 in two dimensions or more, or by channels before or behind two edges."""
    if len(space.shape) > 1 and space.dtype == np.uint8 and (space.low == 0).all() and (space.high == 255).all():
        return True
    ways = (space.shape[-3:], space.shape[:-4:-1]) if len(space.shape) > 2 else ()
    return any(channels in CHANNELS and min(edges) >= SMALLEST_IMAGE for channels, *edges in ways)


def _parts_of(space: Space) -> Iterator[tuple[str, Space]]:
    if isinstance(space, Dict):
        yield from ((str(name), inner) for name, inner in space.spaces.items())
    elif isinstance(space, Tuple):
        yield from ((str(number), inner) for number, inner in enumerate(space.spaces))


def _numbers(value: Any, shape: tuple[int, ...], *, whole: bool) -> np.ndarray:
    try:
        array = np.array(value)  # a copy: some environments give one buffer again and again
    except Exception:  # ragged lists, tensors with gradients or on another device
        raise MisfitError(f"{described(value)}, expected an array of shape {shape}") from None
    if array.dtype.kind not in NUMBERS or (array.shape != shape and not array.size == np.prod(shape) == 1):
        came = described(value) if array.ndim == 0 else described(array)
        raise MisfitError(f"{came}, expected an array of numbers of shape {shape}")
    if whole and array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.round(array))).all():
        raise MisfitError(f"{described(value)} with fractions, expected whole numbers of shape {shape}")
    return array.reshape(shape)


def _mapping(space: Dict, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise MisfitError(f"{described(value)}, expected a dict of {', '.join(map(str, space.spaces))}")
    if value.keys() != space.spaces.keys():
        given, names = (", ".join(map(str, keys)) or "nothing" for keys in (value, space.spaces))
        raise MisfitError(f"a dict of {given}, expected one of {names}")
    return {name: _part(inner, str(name), value[name]) for name, inner in space.spaces.items()}


def _part(space: Space, name: str, value: Any) -> Any:
    try:
        return conform(space, value)
    except MisfitError as error:
        raise MisfitError(f"in {name!r} {error}") from None


def _contained(space: Space, value: Any) -> Any:
    if not space.contains(value):
        raise MisfitError(f"{described(value)}, expected one of {' '.join(str(space).split())}")
    return value
