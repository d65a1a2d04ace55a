"""Exchange of values among the ranks of a run (`torch.distributed`)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def from_all_ranks(value: Any) -> list[Any]:
    """Gather a value from every rank, in rank order; a collective call, made by all ranks."""
    import torch.distributed  # imported late: graceful shutdown is used by processes without torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values


def sum_over_ranks(*values: "Tensor") -> "tuple[Tensor, ...]":
    """Sum tensors over all ranks, each of one dtype and on one device; a collective call, made by all ranks."""
    import torch.distributed

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values
    flat = torch.cat([value.reshape(-1) for value in values])
    torch.distributed.all_reduce(flat)
    parts = flat.split([value.numel() for value in values])
    return tuple(part.reshape(value.shape) for part, value in zip(parts, values, strict=True))


def mean_over_ranks(*values: "Tensor") -> "tuple[Tensor, ...]":
    """Return the means of tensors over all ranks; otherwise as `sum_over_ranks`."""
    import torch.distributed

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values
    return tuple(total / torch.distributed.get_world_size() for total in sum_over_ranks(*values))


def max_over_ranks(value: "Tensor") -> "Tensor":
    """Return the largest of each entry over all ranks; a collective call, made by all ranks."""
    import torch.distributed

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return value
    largest = value.clone()
    torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
    return largest
