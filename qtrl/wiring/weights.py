"""The weights of a checkpoint into a module that was built from a config."""

from pathlib import Path
from typing import Any

from torch import nn

from qtrl.errors import CheckpointError

SEPARATE_CRITICS = "critic.q1."
"""So begin names in checkpoints made before both critics became one batched network."""


def load_weights(module: nn.Module, checkpoint: dict[str, Any], path: Path) -> None:
    """Fill a module with a checkpoint's weights.

    Args:
        module: Built from the run's config.
        checkpoint: As `qtrl.callbacks.read_checkpoint` gave it.
        path: Where it came from, for the error.

    Raises:
        CheckpointError: It belongs to another architecture; names the first tensor that differs.
    """
    found, expected = checkpoint["state_dict"], module.state_dict()
    if any(name.startswith(SEPARATE_CRITICS) for name in found):
        raise CheckpointError(
            f"{path} was made by an earlier version of qtrl, whose critics were two networks; use that"
        )
    for name in sorted(found.keys() | expected.keys()):
        has, wants = (tuple(state[name].shape) if name in state else "no such tensor" for state in (found, expected))
        if has != wants:
            raise CheckpointError(
                f"{path} belongs to another architecture: {name} is {has} there and {wants} in this config; "
                "use the env, block, circuit and sizes that it was trained with"
            )
    module.load_state_dict(found)
