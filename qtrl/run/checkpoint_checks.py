"""Validation of a checkpoint: it must fit what was built from the config before a run starts from it."""

import copy
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.config.nested import shown
from qtrl.errors import CheckpointError

if TYPE_CHECKING:  # whoever only uses a trained agent needs no Lightning
    from lightning.pytorch import Callback, LightningModule

Module = TypeVar("Module", bound=nn.Module)
NAME = re.compile(r"[\w.]{1,1000}")
"""Of a tensor in a module."""
COUNTERS = ("env_steps", "updates")


def build_fitting(make_module: Callable[[], Module], checkpoint: dict[str, Any], path: Path) -> Module:
    """Make the module that a config describes, once the checkpoint read from `path` is known to fit it.

    Shapes are compared on a module without memory first, as far as it can be built so, since a wrong size in a config
    may ask for any amount.

    Raises:
        CheckpointError: The checkpoint does not fit.
    """
    with suppress(NotImplementedError), torch.device("meta"):
        check_weights(make_module(), checkpoint, path)
    module = make_module()
    check_weights(module, checkpoint, path)
    return module


def named_tensors(checkpoint: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """Return the weights of the checkpoint read from `path`; raise a CheckpointError if they are something else."""
    found = checkpoint["state_dict"]
    names = isinstance(found, dict) and all(isinstance(name, str) and NAME.fullmatch(name) for name in found)
    if not names or not all(map(_is_plain, found.values())):
        raise CheckpointError(f"{path} is not a checkpoint: its state_dict holds something else than named tensors")
    return found


def check_weights(module: nn.Module, checkpoint: dict[str, Any], path: Path) -> None:
    """Compare the weights of the checkpoint read from `path` with those of a module, on any device.

    Raises:
        CheckpointError: It belongs to another architecture; names the first tensor that differs.
    """
    found, expected = named_tensors(checkpoint, path), module.state_dict()
    for name in sorted(found.keys() | expected.keys()):
        has, wants = (tuple(state[name].shape) if name in state else "no such tensor" for state in (found, expected))
        if has != wants:
            raise _another_architecture(path, f"{shown(name)} is {shown(has)} there and {wants} in this config")
        if not _same_kind(found[name], expected[name]):
            raise _another_architecture(path, f"{shown(name)} is of {found[name].dtype} there")


def check_counters(checkpoint: dict[str, Any], path: Path, names: Sequence[str] = COUNTERS) -> None:
    """Raise a CheckpointError for a counter of a run that is missing, no integer or out of range."""
    for name in names:
        value = checkpoint.get(name)
        if type(value) is not int or not 0 <= value <= 10**15:
            raise CheckpointError(f"{path} is no checkpoint of a run: {name} is {shown(value)}, expected a count")


def check_resumable(
    module: "LightningModule", callbacks: "Sequence[Callback]", checkpoint: dict[str, Any], path: Path
) -> None:
    """Check and reduce, in place, the checkpoint read from `path` to what a run may resume from.

    Optimizers keep the settings that the config gives them. Lightning's own callbacks get no state: `ModelCheckpoint`
    would read from it which files to delete.

    Raises:
        CheckpointError: A part is missing, of another type, or does not fit the module's parameters.
    """
    check_counters(checkpoint, path, (*COUNTERS, "collected_env_steps", "csv_rows"))
    version = checkpoint.get("pytorch-lightning_version")
    if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+[\w.+]{0,40}", version):
        raise CheckpointError(f"{path} is no checkpoint of a run: it names no version of Lightning")
    for name in ("loops", "callbacks"):
        if not isinstance(checkpoint.get(name), dict):
            raise CheckpointError(f"{path} is no checkpoint of a run: it has no {name}")
    own = {callback.state_key for callback in callbacks if not type(callback).__module__.startswith("lightning.")}
    checkpoint["callbacks"] = {name: state for name, state in checkpoint["callbacks"].items() if name in own}
    checkpoint["lr_schedulers"] = []
    checkpoint.pop("hyper_parameters", None)
    made: Any = module.configure_optimizers()
    optimizers, states = made if isinstance(made, list) else [made], checkpoint.get("optimizer_states")
    if not isinstance(states, list) or len(states) != len(optimizers):
        raise _another_architecture(path, f"it does not have the states of {len(optimizers)} optimizers")
    checkpoint["optimizer_states"] = [
        {"state": _checked_state(optimizer, state, path), "param_groups": optimizer.state_dict()["param_groups"]}
        for optimizer, state in zip(optimizers, states, strict=True)
    ]


def _checked_state(optimizer: Optimizer, state: Any, path: Path) -> dict[int, Any]:
    """Return an optimizer's state by parameter; torch does not check it, and its kernels would read out of bounds."""
    by_parameter = state.get("state") if isinstance(state, dict) else None
    if not isinstance(by_parameter, dict):
        raise CheckpointError(f"{path} is no checkpoint of a run: an optimizer's state is missing")
    copied = copy.deepcopy(optimizer)  # takes a step, to show what it keeps of each parameter
    parameters = [parameter for group in copied.param_groups for parameter in group["params"]]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    copied.step()
    kept = copied.state_dict()["state"]
    for index, moments in by_parameter.items():
        if type(index) is not int or not 0 <= index < len(parameters) or not isinstance(moments, dict):
            raise _another_architecture(path, f"an optimizer's state has {shown(index)}")
        expected = kept.get(index, {})
        if not moments.keys() >= expected.keys():
            raise _another_architecture(path, f"an optimizer's state lacks {shown(sorted(expected))}")
        for name, value in moments.items():
            allowed = [expected[name]] if name in expected else [parameters[index], parameters[index].sum(), 0, 0.0]
            if not any(_fits(value, example) for example in allowed):
                raise _another_architecture(path, f"an optimizer's {shown(name)} does not fit its parameter")
    return by_parameter


def _fits(value: object, example: object) -> bool:
    """Tell whether a value can stand for one that an optimizer made itself."""
    if isinstance(value, Tensor) and isinstance(example, Tensor):
        return _is_plain(value) and value.shape == example.shape and _same_kind(value, example)
    return type(value) is type(example) and (value is None or isinstance(value, int | float))


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and value.device.type == "cpu"


def _same_kind(one: Tensor, other: Tensor) -> bool:
    """Tell whether both hold floating-point numbers, of whatever precision, or both the same other type."""
    return one.dtype == other.dtype or (one.is_floating_point() and other.is_floating_point())


def _another_architecture(path: Path, difference: str) -> CheckpointError:
    return CheckpointError(
        f"{path} belongs to another architecture: {difference}; "
        "use the env, block, circuit and sizes that it was trained with"
    )
