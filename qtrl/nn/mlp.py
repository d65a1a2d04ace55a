"""Fully connected stacks, the only kind of classical layer in the model."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from qtrl.errors import ConfigError

LEAKY_SLOPE = 0.01


def mlp(sizes: Sequence[int], activate_last: bool = False, *, layer_norm: bool = False) -> nn.Sequential:
    """Stack linear layers with LeakyReLU after each but the last.

    Args:
        sizes: Width of the input, then of every layer.
        activate_last: Put LeakyReLU after the last layer too.
        layer_norm: Normalize the units of each layer before its LeakyReLU (arXiv:1607.06450).

    Raises:
        ConfigError: Fewer than two sizes, or one below 1.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ConfigError(f"mlp: sizes are {list(sizes)}, expected at least two, each at least 1")
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        norm = [nn.LayerNorm(n_out)] if layer_norm else []
        layers += [nn.Linear(n_in, n_out), *norm, nn.LeakyReLU(LEAKY_SLOPE, inplace=True)]
    return nn.Sequential(*layers if activate_last else layers[: -2 if layer_norm else -1])
