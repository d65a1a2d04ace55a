"""Exchange of values among the ranks of a run (`torch.distributed`)."""

from typing import Any


def from_all_ranks(value: Any) -> list[Any]:
    """Gather a value from every rank, in rank order; a collective call, made by all ranks."""
    import torch.distributed  # imported late: graceful shutdown is used by processes without torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values
