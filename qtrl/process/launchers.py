"""Variables by which launchers tell the processes of a distributed run their ranks, left over where there is none."""

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Lightning reads the first of them that is there when it is imported."""


def stray_ranks(command: str) -> dict[str, None]:
    """Name the variables that say nothing to a command: all of them where it is not a rank of `train`.

    There those that are no number; see `qtrl.run.trainer` for the others.
    """
    return {
        name: None for name in RANKS if name in os.environ and (command != "train" or not os.environ[name].isdecimal())
    }
