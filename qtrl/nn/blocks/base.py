"""The contract of a block."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError
from qtrl.meters import Cost
from qtrl.nn.sizes import check_sizes
from qtrl.quantum import Executable


class Block(nn.Module, ABC):
    """Map q_in (B, n_in) to q_out (B, n_out), row by row.

    A block keeps nothing between calls and is a function of its inputs, its parameters and the generator alone.
    Deepcopy and pickle work.

    Args:
        n_in: Length of an input; angles in radians where the block is a circuit.
        n_out: Length of an output.
        surrogate: Whether a surrogate is fitted to the block and replaces it in the approximate actor.

    Attributes:
        base: The point (n_in,) around which a model chooses the inputs; not saved.
        executable: What runs the block's circuit; None for a block without one.
        returns_readout: Whether outputs are what is read of that circuit, each qubit in its place, as an estimator that
            runs the circuit itself takes for granted.
        readout_error: Probability with which a bit of that circuit is read as the other one.
        gives_probabilities: Whether outputs are bits or means of bits, in [0, 1].
        has_own_gradient: Whether the block is trained by its own gradient, which a surrogate would cut off.

    Raises:
        ConfigError: A size is below 1, or a surrogate was asked for where the block has its own gradient.
    """

    base: Tensor
    executable: Executable | None = None
    returns_readout: bool = True
    readout_error: float = 0.0
    gives_probabilities: bool = True
    has_own_gradient: bool = False

    def __init__(self, n_in: int, n_out: int, *, surrogate: bool = False) -> None:
        super().__init__()
        name = type(self).__name__
        check_sizes(name, n_in=n_in, n_out=n_out)
        if surrogate and self.has_own_gradient:
            raise ConfigError(f"{name}: surrogate is true, but it has its own gradient; set block.surrogate=false")
        self.n_in, self.n_out, self.surrogate = n_in, n_out, surrogate
        self.register_buffer("base", torch.zeros(n_in), persistent=False)

    @abstractmethod
    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Run the block.

        Args:
            q_in: Shape (B, n_in).
            generator: Source of every random draw, on the device of `q_in`. Not touched by a block that draws nothing.

        Returns:
            Shape (B, n_out), in the dtype and on the device of `q_in`.

        Raises:
            QtrlError: The block draws and was given no generator, or `q_in` does not fit it.
        """

    def cost(self, batch: int) -> Cost:
        """Return what one `forward` of `batch` rows runs on a quantum computer; nothing for a classical block."""
        return Cost()

    @torch.no_grad()
    def mean(self, q_in: Tensor) -> Tensor:
        """Return exactly what `forward` gives on average over its draws, (B, n_out); blocks that draw override it."""
        return self(q_in)

    @property
    def seconds(self) -> float:
        """Wall-clock seconds that the block's circuit has run so far, gradients included; 0 where there is none."""
        return 0.0 if self.executable is None else self.executable.clock.seconds


def drawing_from(generator: torch.Generator | None, block: Block) -> torch.Generator:
    """Return the generator that a block draws from.

    Raises:
        ConfigError: There is none.
    """
    if generator is None:
        raise ConfigError(
            f"{type(block).__name__}: generator is None, but it draws: give it a torch.Generator on the device of q_in"
        )
    return generator
