"""The quantum layer: a block, the estimator of its gradient and its recorded pairs, as one module.

Shapes: `B` batch, `P` inputs of the block, `Q` its outputs.
"""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from qtrl.errors import ShapeError
from qtrl.meters import Cost
from qtrl.nn.blocks import PQC, Block
from qtrl.nn.gradients import Direct, GradientEstimator, MakeEstimator, local_qtdnn
from qtrl.nn.pair_buffer import PairBuffer
from qtrl.quantum import Circuit, Engine, make_engine
from qtrl.surrogate import FitResult

LayerFunction = Callable[[Tensor, torch.Generator | None], Tensor]
"""Maps q_in (B, P) to q_out (B, Q)."""


class QuantumLayer(nn.Module):
    """A layer whose block acts, and whose estimator replaces the block where gradients must pass.

    The paper's three phases are three ways to use one layer, so a model may hold any number of them:

    1. Act: `layer(q_in)` runs the block and records its input and output, in `pair` and in the buffer.
    2. Fit: `fit_quantum_layers` trains the estimator, the qtDNN, on recorded pairs.
    3. Learn: within `approximated(model)`, `layer(q_in)` is the estimator's value, with the estimator's gradient.

    Args:
        block: What acts.
        estimator: Estimates the block's gradient. None, or a block with `surrogate=False`, gives `Direct`: autograd
            through the block itself.
        buffer: Keeps the pairs of all runs of the block here; None keeps the last run's alone.

    Attributes:
        pair: What the block received, (B, P), and returned, (B, Q), in its last run here, detached; None before. It
            belongs neither to the state dict nor to copies.
        received: What the estimator received last in the block's place, (B, P), with its graph; None before. It does
            not belong to them either.

    Raises:
        QtrlError: The estimator does not fit the block, or the buffer does not.

    Source: arXiv:2503.09119, sections 2 and 3.
    """

    estimator: GradientEstimator

    def __init__(
        self, block: Block, estimator: GradientEstimator | None = None, buffer: PairBuffer | None = None
    ) -> None:
        super().__init__()
        self.block = block
        self.estimator = Direct() if estimator is None or not block.surrogate else estimator
        self.estimator.check(block)
        self._estimator_runs_circuits = self.cost(1, gradient=True).circuits > 0
        if buffer is not None and (buffer.n_in, buffer.n_out) != (block.n_in, block.n_out):
            sizes = f"{block.n_in} inputs and {block.n_out} outputs"
            raise ShapeError(f"QuantumLayer: buffer is {buffer!r}, but block {type(block).__name__} has {sizes}")
        self.buffer = buffer
        self.pair: tuple[Tensor, Tensor] | None = None
        self._approximated = False
        self._replacement: LayerFunction | None = None
        self._noise: tuple[float, torch.Generator] | None = None
        self._generator: torch.Generator | None = None
        self.received: Tensor | None = None

    @classmethod
    def from_circuit(
        cls,
        circuit: Circuit,
        *,
        engine: str | Engine = "auto",
        readout: str = "mean",
        shots: int = 100,
        gradient: MakeEstimator = local_qtdnn,
        buffer_size: int = 5_000,
    ) -> Self:
        """Make a layer of a circuit: its angles are the inputs, one reading of each qubit the outputs.

        Args:
            circuit: The circuit.
            engine: Name of an engine, or what `make_engine` returned for one with options.
            readout: One of `qtrl.quantum.READOUTS`.
            shots: Measurements of each row, where the readout takes any number.
            gradient: Makes the estimator from the numbers of inputs and outputs: a class of `qtrl.nn`, or
                `functools.partial` of one with its arguments.
            buffer_size: Newest pairs that are kept, where the estimator learns from any.

        Raises:
            QtrlError: The engine is unknown or cannot run the circuit, or a number is out of range.
        """
        sizes = circuit.n_angles, circuit.n_qubits
        runner = make_engine(engine) if isinstance(engine, str) else engine
        block = PQC(*sizes, circuit=circuit, engine=runner, readout=readout, shots=shots)
        estimator = gradient(*sizes)
        return cls(block, estimator, PairBuffer(buffer_size, *sizes) if estimator.trainable else None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pair": None, "_noise": None, "_generator": None, "received": None}

    @property
    def n_in(self) -> int:
        """P, the inputs of the block."""
        return self.block.n_in

    @property
    def n_out(self) -> int:
        """Q, its outputs."""
        return self.block.n_out

    def forward(self, q_in: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return q_out (..., Q) for q_in (..., P); each vector of the last axis is a run of its own.

        Args:
            q_in: Any number of axes, one at least.
            generator: Source of the random draws, on the device of `q_in`. Left out, it is that of `drawing`, or else
                torch's global one.

        Raises:
            ShapeError: The last axis does not have P entries.
            QtrlError: The block, or the estimator in its place, refuses the values.
        """
        rows = self._rows(q_in)
        if self._replacement is not None:
            q_out = self._replacement(rows, generator)
        elif self._approximated:
            self.received = rows
            estimate = self._estimate_by_circuits if self._estimator_runs_circuits else self.estimator
            q_out = estimate(self.block, rows, self._source(rows, generator))
        else:
            q_out = self._act(rows, generator)
        return q_out if q_in.ndim == 2 else q_out.reshape(*q_in.shape[:-1], self.n_out)

    @torch.compiler.disable
    def _estimate_by_circuits(self, block: Block, q_in: Tensor, generator: torch.Generator | None) -> Tensor:
        """Call the estimator outside of what `torch.compile` compiles, as circuits are."""
        return self.estimator(block, q_in, generator)

    @torch.compiler.disable
    def _act(self, q_in: Tensor, generator: torch.Generator | None) -> Tensor:
        """Run the block and record the pair, outside of what `torch.compile` compiles."""
        if self._noise is not None:
            deviation, source = self._noise
            q_in = q_in + deviation * torch.randn(q_in.shape, generator=source, device=q_in.device, dtype=q_in.dtype)
        q_out = self.block(q_in, self._source(q_in, generator))
        self.pair = (q_in.detach(), q_out.detach())
        if self.buffer is not None:
            self.buffer.append(*self.pair)
        return q_out

    def _rows(self, q_in: Tensor) -> Tensor:
        """Return the inputs as a matrix (B, P), not narrower than float32 where autocast made them so."""
        if q_in.ndim == 0 or q_in.shape[-1] != self.n_in:
            expected = f"(..., {self.n_in}), the inputs of block {type(self.block).__name__}"
            raise ShapeError(f"QuantumLayer: q_in has shape {tuple(q_in.shape)}, expected {expected}")
        if q_in.dtype in (torch.float16, torch.bfloat16) and torch.is_autocast_enabled(q_in.device.type):
            q_in = q_in.float()
        return q_in if q_in.ndim == 2 else q_in.reshape(-1, self.n_in)

    def _source(self, q_in: Tensor, generator: torch.Generator | None) -> torch.Generator | None:
        return generator or self._generator or _global_generator(q_in.device)

    def fit(self, q_in: Tensor, q_out: Tensor, **options: Any) -> FitResult | None:
        """Fit the estimator to recorded pairs; takes the arguments of `GradientEstimator.fit`."""
        return self.estimator.fit(q_in, q_out, **options)

    @property
    def pairs(self) -> str:
        """Which pairs `fit` wants, one of `qtrl.nn.gradients.PAIRS`."""
        return self.estimator.pairs

    @property
    def fit_every_updates(self) -> int:
        """Updates from one `fit` to the next."""
        return self.estimator.fit_every_updates

    def cost(self, batch: int, *, gradient: bool) -> Cost:
        """Return what one approximated `forward` runs on a quantum computer, with or without a backward pass."""
        return self.estimator.cost(self.block, batch, gradient=gradient)

    def borrow_estimator(self) -> None:
        """Use the estimator without owning it: it is no longer among this layer's submodules, parameters and state."""
        estimator = self.estimator
        self._modules.pop("estimator", None)
        object.__setattr__(self, "estimator", estimator)


def _global_generator(device: torch.device) -> torch.Generator | None:
    """Return the generator that `torch.manual_seed` seeds for a device, which layers such as dropout draw from."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator if device.type == "cpu" else None
