"""Silencing of the libraries' notices on the terminal."""

import logging
import warnings


def quiet_libraries() -> None:
    """Hide notices of Lightning, TorchRL and Matplotlib that a user of qtrl cannot act on; other warnings stay."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning", "torchrl"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # a cache of fonts is made, or lies in a temporary folder
    # Lightning uses a name that torch has deprecated.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
