"""Variables by which launchers tell the processes of a distributed run their ranks, left over where there is none."""

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Lightning reads the first of them that is there when it is imported."""
ONE_NODE = ("NODE_RANK", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "TORCHELASTIC_USE_AGENT_STORE")
"""With them launchers tell where the other processes are, which on one node nobody needs to be told."""
HANDED_DOWN = "QTRL_RUN_DIR"
"""Variable by which rank 0 tells the processes that it starts which run folder is theirs."""


def handed_down() -> str | None:
    """Return the run folder that rank 0 made, in a process that rank 0 started."""
    return (os.environ.get(HANDED_DOWN) or None) if "LOCAL_RANK" in os.environ else None


def forget_launcher(num_nodes: int) -> None:
    """Remove what a launcher left, in a process that will start the ranks of its node itself; not in one of these."""
    if handed_down() is None:
        for name in RANKS + (ONE_NODE if num_nodes == 1 else ()):
            os.environ.pop(name, None)


def stray_ranks(command: str) -> dict[str, None]:
    """Name the variables that say nothing to a command: all of them where it is not a rank of `train`.

    There those that are no number; see `qtrl.run.trainer` for the others.
    """
    return {
        name: None for name in RANKS if name in os.environ and (command != "train" or not os.environ[name].isdecimal())
    }
