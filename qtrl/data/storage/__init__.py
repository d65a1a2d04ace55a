"""A TorchRL storage whose rows outlast the process."""
