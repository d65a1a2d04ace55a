"""The conditions of an ablation, as its config lists them: what each puts in place of a trained block."""

import copy
import inspect
from dataclasses import dataclass, fields
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from qtrl.commands.subject import Subject
from qtrl.config.instantiate import build
from qtrl.config.validation.checks import check_config
from qtrl.errors import ConfigError, QtrlError
from qtrl.nn import Block
from qtrl.nn.stand_ins import Trained
from qtrl.quantum import READOUTS, readout_needs_exact

OWN = "own"
"""The condition that every other one is compared with: the run as it is."""


class UnfitConditionError(Exception):
    """A condition does not apply to an agent."""


@dataclass(frozen=True)
class Condition:
    """One condition; without `block` and `stand_in` the agent stays as it is.

    Attributes:
        name: Key of the condition in the config.
        block: Keys of the run's block that change; with a `_target_`, another block in its place.
        stand_in: By `_target_`, what is made of the agent's `Trained` parts in place of the block.
        uninformed: Whether the output of that says nothing about the state.
    """

    name: str
    block: dict[str, Any] | None = None
    stand_in: dict[str, Any] | None = None
    uninformed: bool = False

    def make(self, subject: Subject, trained: Trained) -> Block:
        """Make the block that the agent is tested with, or say in an UnfitConditionError or ConfigError why not."""
        try:
            block = self._stand_in(trained) if self.stand_in is not None else self._changed(subject, trained.block)
        except UnfitConditionError:
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(f"ablation.conditions.{self.name}: {reason}") from error
        if not isinstance(block, Block) or (block.n_in, block.n_out) != (trained.block.n_in, trained.block.n_out):
            wanted = f"a block of {trained.block.n_in} inputs and {trained.block.n_out} outputs"
            raise ConfigError(f"ablation.conditions.{self.name}: made {type(block).__name__}, expected {wanted}")
        return block

    def _stand_in(self, trained: Trained) -> Block:
        make = build(OmegaConf.create({**(self.stand_in or {}), "_partial_": True}))
        try:
            return make(trained)
        except QtrlError as error:
            if error.__cause__ is not None:  # of another library: what cannot be made so at all
                raise
            raise UnfitConditionError(str(error)) from error

    def _changed(self, subject: Subject, own: Block) -> Block:
        """Build the run's block anew with the keys of the condition, or another block, and give it its weights."""
        if not self.block:
            return own
        cfg = copy.deepcopy(subject.cfg)
        OmegaConf.set_struct(cfg, False)  # a run folder of an earlier version lacks keys
        if "_target_" in self.block:
            cfg.block = {**self.block, "_partial_": True}
        else:
            _check_fits(self.block, cfg.block, own)
            cfg.block = OmegaConf.merge(cfg.block, self.block)
        check_config(cfg)
        block: Block = build(cfg.block)(own.n_in, own.n_out)
        weights, expected = ({name: value.shape for name, value in b.state_dict().items()} for b in (own, block))
        if expected and weights != expected:
            raise ConfigError(f"{type(block).__name__} has parameters that this run did not train")
        block.load_state_dict(own.state_dict() if expected else {})
        return block


def _check_fits(changes: dict[str, Any], node: DictConfig, own: Block) -> None:
    """Refuse keys that the run's block does not have, and exact readouts where the engine can only sample."""
    known = {*map(str, node), *inspect.signature(get_class(node._target_)).parameters}
    known -= {"_target_", "_partial_", "n_in", "n_out"}  # which no condition changes
    absent, executable = [key for key in changes if key not in known], own.executable
    if absent and executable is None:
        raise UnfitConditionError(f"this run's block, {type(own).__name__}, has no {absent[0]}")
    if absent:
        raise ConfigError(f"the block has no key {absent[0]!r}: choices are {', '.join(sorted(known))}")
    readout = str(changes.get("readout", node.get("readout")))
    samples_only = executable is not None and not executable.capabilities.exact
    if samples_only and readout in READOUTS and readout_needs_exact(readout):
        raise UnfitConditionError(f"readout {readout} needs exact values, which its engine does not compute")


def read_conditions(ablation: DictConfig) -> list[Condition]:
    """Read the conditions of the config node `ablation`, in their order.

    Raises:
        ConfigError: There are none, or one has unknown keys or values of another kind.
    """
    plain: Any = OmegaConf.to_container(ablation, resolve=True)
    conditions = plain.get("conditions") if isinstance(plain, dict) else None
    if not isinstance(conditions, dict) or not conditions:
        raise ConfigError(f"ablation.conditions={conditions} is not allowed: expected at least one condition by name")
    return [_read(str(name), node) for name, node in conditions.items()]


def _read(name: str, node: Any) -> Condition:
    where, keys = f"ablation.conditions.{name}", [field.name for field in fields(Condition)][1:]
    if name == OWN:
        raise ConfigError(f"{where}: this name is taken by the run as it is; choose another")
    if not isinstance(node, dict) or not node.keys() <= set(keys):
        raise ConfigError(f"{where}={node} is not allowed: expected a mapping with keys out of {', '.join(keys)}")
    condition = Condition(name, **node)
    if (condition.block is None) == (condition.stand_in is None):
        raise ConfigError(f"{where} has both of block and stand_in, or none: expected one of them")
    if not isinstance(condition.block or condition.stand_in, dict) or not isinstance(condition.uninformed, bool):
        raise ConfigError(f"{where}={node} is not allowed: expected mappings, and uninformed of true or false")
    return condition
