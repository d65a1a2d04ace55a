"""Keep the terminal for what this program has to say."""

import logging
import warnings


def quiet_libraries() -> None:
    """Silence advice and notices that a user of qtrl can do nothing about; warnings of substance stay."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("torchrl").setLevel(logging.WARNING)
    # Lightning asks torch for a name that torch renamed.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
