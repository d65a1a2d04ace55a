import pytest
import torch

from qtrl.process.devices import usable_device


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), None])
def test_a_device_of_this_machine_is_returned(device):
    assert usable_device(device) == torch.device("cpu")


@pytest.mark.parametrize("device", ["tpu0", "cuda:99", "cpu:x"])
def test_why_there_is_no_such_device_is_said_in_one_line(device):
    with pytest.raises(ValueError, match="^.+$"):
        usable_device(device)


def test_what_names_no_device_is_of_another_type():
    with pytest.raises(TypeError):
        usable_device(1.5)
