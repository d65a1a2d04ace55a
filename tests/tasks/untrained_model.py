"""The folder of a supervised run that was never trained, written in a tenth of a second."""

from pathlib import Path
from typing import Any

from omegaconf import open_dict

from qtrl.config.instantiate import construct_task
from qtrl.config.saved import checked_text
from qtrl.files.checkpoint import write_checkpoint
from qtrl.tasks import RunContext

SMALL = ("logger=csv", "circuit.n_qubits=2", "circuit.reps=1", "shots=20", "gradient.hidden=8", "model.hidden=8")


def write_run(folder: Path, compose: Any, experiment: str, *overrides: str, **changed: Any) -> tuple[Any, Any]:
    """Write it, and return the run's task and module.

    Args:
        folder: Is there.
        compose: The fixture.
        experiment: Of the run.
        overrides: More of its command line.
        changed: What its checkpoint says besides.
    """
    cfg = compose(f"experiment={experiment}", *SMALL, *overrides)
    with open_dict(cfg):
        cfg.experiment = experiment
    (folder / "config.yaml").write_text(checked_text(cfg))
    task: Any = construct_task(cfg)
    context = RunContext(folder, seed=0)
    module = task.make_module(context)
    checkpoint = {"state_dict": module.state_dict(), "env_steps": 130, "updates": 5}
    task.make_test(context).on_save_checkpoint(None, module, checkpoint)
    write_checkpoint(checkpoint | changed, folder / "checkpoints" / "last.ckpt")
    return task, module
