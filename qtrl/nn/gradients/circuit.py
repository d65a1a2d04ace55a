"""The circuit of a block, for estimators that run it themselves."""

from qtrl.errors import ConfigError, EngineError
from qtrl.nn.blocks import Block
from qtrl.quantum import Executable


def executable_of(block: Block, owner: str) -> Executable:
    """Return what runs the block's circuit.

    Raises:
        ConfigError: The block has no circuit, or does not return what is read of it. Names the block and the estimator
            `owner`, and what to set.
    """
    if block.executable is None:
        raise ConfigError(
            f"{owner}: block {type(block).__name__} has no circuit to take a gradient of; "
            "set block=pqc, block.surrogate=false or gradient=qtdnn"
        )
    if not block.returns_readout:
        raise ConfigError(
            f"{owner}: runs the circuit itself and would miss what block {type(block).__name__} does to its outputs; "
            "set block=pqc, gradient=qtdnn or gradient=zero"
        )
    return block.executable


def is_exact(executable: Executable) -> bool:
    """Return whether the engine computes exact probabilities, as simulators do and quantum computers do not."""
    return getattr(executable.capabilities, "exact", True)


def check_exact(executable: Executable, owner: str) -> None:
    """Refuse an engine that can only sample, before exact probabilities are asked for.

    Raises:
        EngineError: Names the engine, the estimator `owner`, and what works with it.
    """
    if not is_exact(executable):
        raise EngineError(
            f"{owner}: engine {executable.engine!r} can only sample and computes no exact probabilities; "
            "set gradient.shots, gradient=qtdnn, or another engine"
        )
