"""What a model says of rows, with its real blocks."""

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from qtrl.nn.quantum_layers import quantum_layers, replaced
from qtrl.process.threads import one_thread

ROWS = 1_024
"""Rows that run through the model at the same time."""


@torch.no_grad()
def predict_rows(model: nn.Module, inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Return a model's outputs (N, O) for rows (N, D), with its real blocks and without keeping pairs.

    Args:
        model: Takes rows and a generator.
        inputs: Rows on the CPU; what is returned is there, too.
        generator: On the model's device; the blocks draw from it.
    """
    learns = model.training
    model.eval()
    with ExitStack() as stack:
        stack.callback(model.train, learns)
        stack.enter_context(one_thread())
        for layer in quantum_layers(model).values():
            stack.enter_context(replaced(layer, layer.block))
        outputs = [model(rows.to(generator.device), generator).cpu() for rows in inputs.split(ROWS)]
    return torch.cat(outputs)
