"""Devices of this machine."""

import torch


def usable_device(device: str | int | torch.device | None) -> torch.device:
    """Return a device with its number, after something was placed on it; None is torch's default.

    Raises:
        ValueError: There is no such device here; says why in one line.
        TypeError: It is of no type that names a device.
    """
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError((str(error).strip() or type(error).__name__).splitlines()[0]) from error
