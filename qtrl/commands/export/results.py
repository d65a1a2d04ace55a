"""What is said of an agent that was not tested when it was exported: the results of its run."""

from pathlib import Path
from typing import Any

from qtrl.commands.agent import Agent, reading
from qtrl.errors import RunFolderError
from qtrl.files.untrusted import NotAnObjectError, read_json_object
from qtrl.nn import quantum_layers
from qtrl.run.provenance import provenance

NUMBERS = (
    *("env_steps", "updates", "seed", "return_mean", "return_std", "best_return_mean", "best_env_steps"),
    *("last_ten_return_mean", "wall_seconds"),
)
"""Numbers of `summary.json` that are kept."""


def result_of(agent: Agent, checkpoint: str) -> dict[str, Any]:
    """Return the result of an exported agent as it is; of a run the facts, and under `run` what its summary says."""
    if agent.exported:
        result: dict[str, Any] = agent.checkpoint["result"]
        return result
    return {
        "checkpoint": checkpoint,
        **{name: agent.checkpoint[name] for name in ("env_steps", "updates")},
        "label": agent.cfg.label,
        **reading(quantum_layers(agent.actor)),
        "run": read_results(agent.run_dir / "summary.json"),
        **agent.task.facts(),
        **provenance(),
    }


def read_results(path: Path) -> dict[str, Any] | None:
    """Read what the summary of a run says of its result; None where the run wrote none.

    Raises:
        RunFolderError: It is damaged.
    """
    try:
        summary = read_json_object(path)
    except FileNotFoundError:
        return None
    except NotAnObjectError as error:
        raise RunFolderError(f"{error}: remove it to export without results") from error
    numbers = {name: summary[name] for name in NUMBERS if isinstance(summary.get(name), int | float)}
    returns = summary.get("return_per_episode")
    episodes = {"episodes": len(returns)} if isinstance(returns, list) else {}
    return {"status": str(summary.get("status"))[:200], **numbers, **episodes}
