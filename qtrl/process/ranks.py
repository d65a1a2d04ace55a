"""What the processes of a run tell each other beside gradients."""

from typing import Any

import torch.distributed


def from_all_ranks(value: Any) -> list[Any]:
    """Return this value of every rank, in their order; all of them must call it."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values
