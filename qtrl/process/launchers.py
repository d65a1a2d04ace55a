"""Variables by which launchers tell the processes of a distributed run their ranks, left over where there is none."""

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Lightning reads the first of them that is there when it is imported."""
HANDED_DOWN = "QTRL_RUN_DIR"
"""Variable by which rank 0 tells the processes that it starts which run folder is theirs."""


def handed_down() -> str | None:
    """Return the run folder that rank 0 made, in a process that rank 0 started."""
    return (os.environ.get(HANDED_DOWN) or None) if "LOCAL_RANK" in os.environ else None


def stray_ranks(command: str) -> dict[str, None]:
    """Name the variables that say nothing to a command: all of them where it is not a rank of `train`.

    There those that are no number; see `qtrl.run.trainer` for the others.
    """
    return {
        name: None for name in RANKS if name in os.environ and (command != "train" or not os.environ[name].isdecimal())
    }
