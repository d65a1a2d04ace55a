"""A stand-in for an accelerator that nothing may wait for: torch's device `meta`, under a mode that raises."""

import torch
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "item", "is_nonzero", "equal"}
"""Operations whose result, or the size of it, the host needs."""
META = torch.device("meta")


def tensors_in(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


class NoWaiting(TorchDispatchMode):
    """Raises where the host would wait for the device: it reads a number, copies from there, or blocks on a copy.

    What does not block is copied to a buffer of the driver's first, so it waits for nothing. Numbers on the host may be
    read.
    """

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        keywords, name = keywords or {}, operation._overloadpacket.__name__
        on_device = any(tensor.device != torch.device("cpu") for tensor in tensors_in((arguments, keywords)))
        assert not (on_device and name in WAITING), f"{name} waits for the device"
        if name in {"_to_copy", "copy_"}:
            self._check_copy(name, arguments, keywords)
        return operation(*arguments, **keywords)

    @staticmethod
    def _check_copy(name, arguments, keywords):
        if name == "copy_":
            target, source, *blocks = arguments
            device, does_not_block = target.device, any(blocks) or keywords.get("non_blocking")
        else:
            (source,) = arguments
            device, does_not_block = keywords.get("device") or source.device, keywords.get("non_blocking")
        if device.type != source.device.type:
            where = f"from {source.device} to {device}"
            assert source.device.type == "cpu" and does_not_block, f"{name} {where} waits for the device"


class OnMeta(SingleDeviceStrategy):
    """Lets Lightning's Trainer train on the device `meta`, whose tensors have shapes and no numbers."""

    def __init__(self):
        super().__init__(META, accelerator=CPUAccelerator())

    def setup_environment(self):
        pass

    def teardown(self):
        pass

    def reduce(self, tensor, *args, **kwargs):
        return torch.ones(())  # the length of the data is asked for, which is that of one rank
