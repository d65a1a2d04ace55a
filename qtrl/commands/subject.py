"""What a trained agent, and a model of a table, have in common for tests under several conditions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig
from torch import nn

from qtrl.analysis.statistics.paired import Terms
from qtrl.nn import QuantumLayers
from qtrl.run.saved_run import CHECKPOINTS


@dataclass(frozen=True)
class Tested:
    """How one test came out.

    Attributes:
        scores: One for each case, in the order of the cases.
        score: What a command returns for all of them.
        outcome: What its JSON says, as plain data.
    """

    scores: tuple[float, ...]
    score: float
    outcome: dict[str, Any]


class Subject(Protocol):
    """A run that has ended, with what it trained."""

    @property
    def run_dir(self) -> Path:
        """Its folder."""

    @property
    def cfg(self) -> DictConfig:
        """Its config, changed by the command line's options."""

    @property
    def exported(self) -> bool:
        """Whether it was exported."""

    @property
    def network(self) -> nn.Module:
        """What holds the quantum layers."""

    @property
    def layers(self) -> QuantumLayers:
        """These, whose blocks may be changed between tests."""

    @property
    def terms(self) -> Terms:
        """What its results are called."""

    def test(self, options: DictConfig) -> Tested:
        """Test it as it is now, on the same cases each time."""

    def facts(self, options: DictConfig) -> dict[str, Any]:
        """Return what is tested, and with which versions, as plain data; `env_steps` among it."""


def told_checkpoint(exported: bool, checkpoint: Mapping[str, Any], asked: str) -> str:
    """Return the name of the checkpoint that was tested: of what was exported, the one that it was exported from."""
    name = checkpoint["result"].get("checkpoint") if exported else None  # of a stranger's, anything
    return name if name in CHECKPOINTS else asked
