"""Scales around a quantum layer: of the angles that go in, and of the readings that come out."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from qtrl.errors import ConfigError


def _unbounded(angles: Tensor) -> Tensor:
    return angles


def _bounded_norm(angles: Tensor) -> Tensor:
    return angles * (1 + angles.square().mean(dim=-1, keepdim=True)).rsqrt()


ANGLE_BOUNDS: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: _unbounded,
    "tanh": torch.tanh,
    "norm": _bounded_norm,
}
"""What `bound` may be."""


class AngleScaling(nn.Module):
    """Turn a network's outputs (..., P) into inputs of a block near its base point, which are angles of a circuit.

    Args:
        base: The point (P,) that 0 becomes, `layer.block.base`; not saved.
        scale: Factor, in radians per unit where the block is a circuit.
        bound: What bounds the network's outputs first, one of `ANGLE_BOUNDS`: with `tanh` no input is further than
            `scale` from the base, with `norm` their root mean square is not; None bounds nothing.

    Raises:
        ConfigError: `scale` is not above 0, or `bound` is unknown.
    """

    base: Tensor

    def __init__(self, base: Tensor, scale: float = 0.1, bound: str | None = None) -> None:
        super().__init__()
        check_scale("AngleScaling", "scale", scale)
        if bound not in ANGLE_BOUNDS:
            raise ConfigError(f"AngleScaling: bound is {bound!r}, expected tanh, norm or None")
        self.scale, self._bound = scale, ANGLE_BOUNDS[bound]
        self.register_buffer("base", base.clone(), persistent=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """Return inputs of the block, (..., P)."""
        return self.base + self.scale * self._bound(outputs)


class OutputScaling(nn.Module):
    """Center and scale the outputs of a block, so that the next network hears them as loud as its other inputs.

    Args:
        center: What is subtracted.
        scale: What is multiplied with then.

    Raises:
        ConfigError: `scale` is not above 0.
    """

    def __init__(self, center: float = 0.5, scale: float = 10.0) -> None:
        super().__init__()
        check_scale("OutputScaling", "scale", scale)
        self.center, self.scale = center, scale

    def forward(self, q_out: Tensor) -> Tensor:
        """Return them in the shape that they came in."""
        return (q_out - self.center) * self.scale


def check_scale(owner: str, name: str, scale: float) -> None:
    """Refuse, by a `ConfigError`, a scale that is not a finite number above 0."""
    if not 0 < scale < float("inf"):
        raise ConfigError(f"{owner}: {name} is {scale}, expected a finite number above 0")
