"""What is said of what was not tested when it was exported: the results of its run."""

from pathlib import Path
from typing import Any

from qtrl.commands.agent import reading
from qtrl.commands.export.exportable import Exportable
from qtrl.errors import RunFolderError
from qtrl.files.untrusted import NotAnObjectError, read_json_object
from qtrl.nn import quantum_layers
from qtrl.run.provenance import provenance


def result_of(subject: Exportable, checkpoint: str) -> dict[str, Any]:
    """Return the result of what was exported before as it is; of a run facts, and as `run` what its summary says."""
    source = subject.source
    if source.exported:
        result: dict[str, Any] = source.checkpoint["result"]
        return result
    return {
        "checkpoint": checkpoint,
        **{name: source.checkpoint[name] for name in ("env_steps", "updates")},
        "label": source.cfg.label,
        **reading(quantum_layers(subject.network)),
        "run": read_results(source.run_dir / "summary.json", subject.numbers),
        **subject.facts(),
        **provenance(),
    }


def read_results(path: Path, numbers: tuple[str, ...]) -> dict[str, Any] | None:
    """Read what the summary of a run says of its result, in these numbers; None where the run wrote none.

    Raises:
        RunFolderError: It is damaged.
    """
    try:
        summary = read_json_object(path)
    except FileNotFoundError:
        return None
    except NotAnObjectError as error:
        raise RunFolderError(f"{error}: remove it to export without results") from error
    found = {name: summary[name] for name in numbers if isinstance(summary.get(name), int | float)}
    returns = summary.get("return_per_episode")
    episodes = {"episodes": len(returns)} if isinstance(returns, list) else {}
    status = str(summary.get("status")).partition(": ")[0]  # what follows an error's class may name paths
    return {"status": status[:200], **found, **episodes}
