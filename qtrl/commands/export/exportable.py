"""What is exported, an agent or a model of a table, with all in which the two differ when they are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig
from torch import Tensor, nn

from qtrl.run.exported import Form


@dataclass(frozen=True)
class Signature:
    """The one input and the one output of a function in ONNX.

    Attributes:
        size: Numbers in a row of the input.
        takes: Name of the input.
        gives: Name of the output.
        cases: What rows of the input are called, in the plural.
        answers: What rows of the output are called, in the plural.
    """

    size: int
    takes: str
    gives: str
    cases: str
    answers: str


@dataclass(frozen=True)
class Card:
    """The parts of a model card that are particular, as Markdown.

    Attributes:
        what: What it is.
        rows: Of the table that the card begins with, as pairs of what and value.
        counted: After how much training the weights were kept.
        train: Keys of the config that the command of the training is told with.
        packages: Whose versions count, by what they are called.
        use: How it is used.
        limits: What it is not.
    """

    what: str
    rows: tuple[tuple[str, str], ...]
    counted: str
    train: tuple[str, ...]
    packages: Mapping[str, str]
    use: str
    limits: str


class Source(Protocol):
    """The folder that it comes from, as it was read."""

    @property
    def run_dir(self) -> Path:
        """The folder."""

    @property
    def cfg(self) -> DictConfig:
        """Its config."""

    @property
    def checkpoint(self) -> dict[str, Any]:
        """Its counters; of what was exported before, its `result` too."""

    @property
    def exported(self) -> bool:
        """Whether it was exported before."""


class Exportable(Protocol):
    """An agent, or a model of a table."""

    @property
    def form(self) -> Form:
        """Names of its files."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """Numbers of a run's `summary.json` that are kept."""

    @property
    def source(self) -> Source:
        """Where it comes from."""

    @property
    def network(self) -> nn.Module:
        """What it is, whose weights are written."""

    @property
    def signature(self) -> Signature:
        """Of `function`."""

    def function(self, quantum: str) -> nn.Module:
        """Return it as one deterministic function of a batch, whose circuits are replaced as `quantum` says.

        Raises:
            QtrlError: A circuit cannot be replaced so.
        """

    def inputs(self, count: int, seed: int) -> tuple[Tensor, str]:
        """Draw at most `count` inputs such as it knows, float32, and say in words where they come from."""

    def config(self) -> dict[str, Any]:
        """Return its config as plain data, without what tells of the machine it was trained on."""

    def facts(self) -> dict[str, Any]:
        """Return what it was trained on, for the result of a run."""

    def description(self) -> dict[str, Any]:
        """Return what programs want to know of it, but for what they want to know of any network."""

    def card(self, run: str, result: Mapping[str, Any]) -> Card:
        """Return what people want to know of it.

        Args:
            run: What `run=` finds it by.
            result: As in `result.json`; may be anything where it was exported before.
        """
