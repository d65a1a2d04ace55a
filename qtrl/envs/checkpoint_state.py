"""State of vector environments in a checkpoint: plain data and tensors, validated when read, since untrusted.

Shapes: N environments, O observation, A action, T actions taken in an episode.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.envs.episode import MOST_ACTIONS, Record
from qtrl.envs.shared_memory import SharedArrays
from qtrl.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

SAVED = ("observation", "reward", "terminated", "truncated", "lost")
"""The arrays that are saved: all but the action."""
WORD, STATE = 2**32, 2**128
"""Exclusive upper bounds of the integers in a PCG64 generator: its buffered half word, and its 128-bit state."""


def pack(arrays: SharedArrays, records: Sequence[Record | None], *, step_given: bool) -> dict[str, Any]:
    """Return the state for a checkpoint; arguments as `unpack` returns them."""
    import torch  # imported late: worker processes use this package without torch

    episodes = [
        None if record is None else {**record, "actions": torch.from_numpy(record["actions"])} for record in records
    ]
    return {
        "episodes": episodes,
        "columns": {name: torch.from_numpy(getattr(arrays, name).copy()) for name in SAVED},
        "step_given": step_given,
    }


def unpack(state: object, arrays: SharedArrays) -> tuple[list[Record | None], bool]:
    """Validate the state from a checkpoint, and fill the arrays from it.

    Args:
        state: What `pack` returned.
        arrays: Receive the newest observations and the results of the last step.

    Returns:
        The episodes, None for each that cannot be replayed; and whether the last step was given to the caller.

    Raises:
        CheckpointError: The state is malformed, or is of another number or kind of environments.
    """
    checked = check_dict(state, "envs", ("episodes", "columns", "step_given"))
    num_envs, action_size = arrays.action.shape
    episodes, given = checked["episodes"], checked["step_given"]
    _expect(type(given) is bool, "envs.step_given", given, "true or false")
    _expect(isinstance(episodes, list), "envs.episodes", episodes, "a list")
    if len(episodes) != num_envs:
        raise CheckpointError(f"the checkpoint has {len(episodes)} environments, this run num_envs={num_envs}")
    records = [_unpack_record(record, f"envs.episodes[{i}]", action_size) for i, record in enumerate(episodes)]
    saved = check_dict(checked["columns"], "envs.columns", SAVED)
    for name in SAVED:
        column = getattr(arrays, name)
        saved[name] = check_tensor(saved[name], f"envs.columns.{name}", *column.shape, dtype=column.dtype).numpy()
    for name in SAVED:
        getattr(arrays, name)[:] = saved[name]
    return records, given


def check_dict(value: object, where: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a dict that has exactly these keys.

    Raises:
        CheckpointError: It is not such a dict.
    """
    _expect(isinstance(value, dict) and set(value) == set(keys), where, value, f"a dict of {', '.join(keys)}")
    return dict(value)  # type: ignore[call-overload]


def check_tensor(value: object, where: str, *shape: int, dtype: Any = np.float32) -> "Tensor":
    """Return a finite, dense CPU tensor of the given shape and NumPy dtype.

    Raises:
        CheckpointError: It is not such a tensor.
    """
    import torch

    kind = getattr(torch, np.dtype(dtype).name)
    expected = f"a finite tensor of {kind} with shape {shape}"
    _expect(isinstance(value, torch.Tensor), where, value, expected)
    tensor: Tensor = value.detach()  # type: ignore[attr-defined]
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and tensor.dtype is kind
    if not plain or tuple(tensor.shape) != shape or not bool(tensor.isfinite().all()):
        found = f"a tensor of {tensor.dtype} with shape {tuple(tensor.shape)} on {tensor.device}"
        raise CheckpointError(f"the checkpoint's {where} is {found}, expected {expected}")
    return tensor


def _unpack_record(value: object, where: str, action_size: int) -> Record | None:
    if value is None:
        return None
    record = check_dict(value, where, ("generator", "seed", "actions", "generator_after"))
    _check_generator(record["generator"], f"{where}.generator")
    _check_generator(record["generator_after"], f"{where}.generator_after")
    seed = record["seed"]
    _expect(seed is None or _is_count(seed, 2**64), f"{where}.seed", seed, "an integer from 0, or none")
    actions = record["actions"]
    length = len(actions) if hasattr(actions, "ndim") and actions.ndim == 2 else 0
    _expect(length <= MOST_ACTIONS, f"{where}.actions", length, f"at most {MOST_ACTIONS:,} rows")
    return {**record, "actions": check_tensor(actions, f"{where}.actions", length, action_size).numpy()}


def _check_generator(value: object, where: str) -> None:
    state = check_dict(value, where, ("bit_generator", "state", "has_uint32", "uinteger"))
    inner = check_dict(state["state"], f"{where}.state", ("state", "inc"))
    name = state["bit_generator"]
    _expect(isinstance(name, str), f"{where}.bit_generator", name, "a name")
    numbers = (inner["state"], STATE), (inner["inc"], STATE), (state["has_uint32"], 2), (state["uinteger"], WORD)
    for number, end in numbers:
        _expect(_is_count(number, end), where, number, f"an integer from 0 and below {end}")


def _is_count(value: object, end: int) -> bool:
    return type(value) is int and 0 <= value < end


def _expect(fine: bool, where: str, value: object, expected: str) -> None:
    if not fine:
        found = value if isinstance(value, int | float | None) else f"a {type(value).__name__}"
        raise CheckpointError(f"the checkpoint's {where} is {found}, expected {expected}")
