"""State of vector environments in a checkpoint: plain data and tensors, validated when read, since untrusted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qtrl.envs.vectorized.env_group import RESULTS
from qtrl.envs.vectorized.episode import MOST_ACTIONS, Array, Record
from qtrl.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor


def pack(table: Array, records: Sequence[Record | None], *, step_given: bool) -> dict[str, Any]:
    """Return the state for a checkpoint; arguments as `unpack` fills and returns them."""
    import torch  # imported late: worker processes use this package without torch

    return {
        "episodes": [record and {**record, "actions": torch.from_numpy(record["actions"])} for record in records],
        "columns": {name: torch.from_numpy(table[name].copy()) for name in RESULTS},
        "step_given": step_given,
    }


def unpack(state: object, table: Array) -> tuple[list[Record | None], bool]:
    """Validate what `pack` returned, and fill the table from it.

    Returns:
        The episodes, None for each that cannot be replayed; and whether the last step was given to the caller.

    Raises:
        CheckpointError: The state is malformed, or is of another number or kind of environments.
    """
    checked = check_dict(state, "envs", ("episodes", "columns", "step_given"))
    episodes, given = checked["episodes"], checked["step_given"]
    _expect(type(given) is bool, "envs.step_given", given, "true or false")
    _expect(isinstance(episodes, list), "envs.episodes", episodes, "a list")
    if len(episodes) != len(table):
        raise CheckpointError(f"the checkpoint has {len(episodes)} environments, this run num_envs={len(table)}")
    action_size = table["action"].shape[1]
    records = [_unpack_record(record, f"envs.episodes[{i}]", action_size) for i, record in enumerate(episodes)]
    columns = check_dict(checked["columns"], "envs.columns", RESULTS)
    for name in RESULTS:
        column = table[name]
        columns[name] = check_tensor(columns[name], f"envs.columns.{name}", *column.shape, dtype=column.dtype)
    for name in RESULTS:
        table[name] = columns[name].numpy()
    return records, given


def check_dict(value: object, where: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return a copy of a dict that has exactly these keys; refuse anything else by a `CheckpointError`."""
    _expect(isinstance(value, dict) and set(value) == set(keys), where, value, f"a dict of {', '.join(keys)}")
    return dict(value)  # type: ignore[call-overload]


def check_tensor(value: object, where: str, *shape: int, dtype: Any = np.float32) -> "Tensor":
    """Return a finite, dense CPU tensor of the given shape and NumPy dtype; refuse the rest by a `CheckpointError`."""
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
    for name in ("generator", "generator_after"):
        _check_generator(record[name], f"{where}.{name}")
    if record["seed"] is not None:
        _check_integer(record["seed"], f"{where}.seed", 2**64)
    actions = record["actions"]
    length = len(actions) if hasattr(actions, "ndim") and actions.ndim == 2 else 0
    _expect(length <= MOST_ACTIONS, f"{where}.actions", length, f"at most {MOST_ACTIONS:,} rows")
    return {**record, "actions": check_tensor(actions, f"{where}.actions", length, action_size).numpy()}


def _check_generator(value: object, where: str) -> None:
    """Check the state of a PCG64: two integers of 128 bits and a buffered half word."""
    state = check_dict(value, where, ("bit_generator", "state", "has_uint32", "uinteger"))
    name, inner = state["bit_generator"], check_dict(state["state"], f"{where}.state", ("state", "inc"))
    _expect(isinstance(name, str), f"{where}.bit_generator", name, "a name")
    numbers = (inner["state"], 2**128), (inner["inc"], 2**128), (state["has_uint32"], 2), (state["uinteger"], 2**32)
    for number, end in numbers:
        _check_integer(number, where, end)


def _check_integer(value: object, where: str, end: int) -> None:
    _expect(type(value) is int and 0 <= value < end, where, value, f"an integer from 0 and below {end}")


def _expect(fine: bool, where: str, value: object, expected: str) -> None:
    if not fine:
        found = value if isinstance(value, int | float | None) else f"a {type(value).__name__}"
        raise CheckpointError(f"the checkpoint's {where} is {found}, expected {expected}")
