"""A model of a table as one deterministic function, rows to predictions.

Shapes: `B` rows, `D` input columns, `K` classes.
"""

from torch import Tensor, nn

from qtrl.commands.export.stand_ins import WithoutCircuits
from qtrl.loaded.model import Network


class Probabilities(nn.Module):
    """Map rows (B, D) in the table's units to probabilities of classes (B, K).

    Args:
        network: Of a model, from rows to logits.
        quantum: What computes in the place of circuits, as of `WithoutCircuits`.

    Raises:
        QtrlError: A layer's circuit cannot be replaced so.
    """

    gives, answers = "probabilities", "probabilities"

    def __init__(self, network: Network, quantum: str) -> None:
        super().__init__()
        self.network = WithoutCircuits(network, quantum)
        self.eval()

    def forward(self, rows: Tensor) -> Tensor:
        """Return them, each row summing to 1."""
        logits: Tensor = self.network(rows)
        return logits.softmax(dim=1)


class Values(nn.Module):
    """Map rows (B, D) in the table's units to numbers (B,) in the target's; arguments and errors of `Probabilities`."""

    gives, answers = "value", "values"

    def __init__(self, network: Network, quantum: str) -> None:
        super().__init__()
        assert network.targets is not None
        self.network, self.targets = WithoutCircuits(network, quantum), network.targets
        self.eval()

    def forward(self, rows: Tensor) -> Tensor:
        """Return them."""
        return self.targets.undo(self.network(rows).squeeze(-1))
