"""The circuit of a block, for estimators that run it themselves."""

from qtrl.errors import ConfigError
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
