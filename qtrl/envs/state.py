"""Environments to and from a checkpoint: plain data and tensors, which may come from a stranger.

Shapes: N environments, O observation, A action, T actions taken in an episode.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.envs.episode import MOST_ACTIONS, Record
from qtrl.envs.lanes import Columns
from qtrl.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

SAVED = ("observation", "reward", "terminated", "truncated", "lost")
"""The columns that are saved: all but the action, which is chosen anew."""
WORD, STATE = 2**32, 2**128
"""Above what numpy's generators of the PCG64 kind hold: a half-used draw, and their state."""


def pack(columns: Columns, records: Sequence[Record | None], *, step_given: bool) -> dict[str, Any]:
    """Return what a checkpoint holds; arguments as `unpack` returns them."""
    import torch  # late, because worker processes need this package without it

    episodes = [
        None if record is None else {**record, "actions": torch.from_numpy(record["actions"])} for record in records
    ]
    return {
        "episodes": episodes,
        "columns": {name: torch.from_numpy(getattr(columns, name).copy()) for name in SAVED},
        "step_given": step_given,
    }


def unpack(state: object, columns: Columns) -> tuple[list[Record | None], bool]:
    """Check what a checkpoint holds, and write its columns.

    Args:
        state: What `pack` returned.
        columns: Receive the newest observations and what the last step gave.

    Returns:
        The episodes, None for each that cannot be taken up again; and whether somebody was given the last step.

    Raises:
        CheckpointError: It is malformed, or of another number or kind of environments.
    """
    checked = check_dict(state, "envs", ("episodes", "columns", "step_given"))
    num_envs, action_size = columns.action.shape
    episodes, given = checked["episodes"], checked["step_given"]
    _expect(type(given) is bool, "envs.step_given", given, "true or false")
    _expect(isinstance(episodes, list), "envs.episodes", episodes, "a list")
    if len(episodes) != num_envs:
        raise CheckpointError(f"the checkpoint has {len(episodes)} environments, this run num_envs={num_envs}")
    records = [_unpack_record(record, f"envs.episodes[{i}]", action_size) for i, record in enumerate(episodes)]
    saved = check_dict(checked["columns"], "envs.columns", SAVED)
    for name in SAVED:
        column = getattr(columns, name)
        saved[name] = check_tensor(saved[name], f"envs.columns.{name}", *column.shape, dtype=column.dtype).numpy()
    for name in SAVED:
        getattr(columns, name)[:] = saved[name]
    return records, given


def check_dict(value: object, where: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a dict that has these keys and no others.

    Raises:
        CheckpointError: It is none.
    """
    _expect(isinstance(value, dict) and set(value) == set(keys), where, value, f"a dict of {', '.join(keys)}")
    return dict(value)  # type: ignore[call-overload]


def check_tensor(value: object, where: str, *shape: int, dtype: Any = np.float32) -> "Tensor":
    """Return a tensor that has a shape and numpy's type, on the CPU, all of it finite.

    Raises:
        CheckpointError: It has not.
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
