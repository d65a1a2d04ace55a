"""Fixed-seed traces of short runs: what every update saw and did. `python tests/traces/tracing.py` writes them anew.

They were written before the update and the collection were made faster, and hold every later version to the same
numbers, but for the rounding of sums in another order. Write them anew only where a result is meant to change.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydra import compose, initialize_config_dir
from lightning.pytorch import Callback, Trainer
from omegaconf import DictConfig

from qtrl.config.instantiate import construct_task
from qtrl.config.location import config_dir
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads
from qtrl.specs import Batch
from qtrl.tasks import RunContext

FOLDER = Path(__file__).parent
UPDATES, WARMUP = 50, 30
SHORT = [f"total_env_steps={UPDATES + WARMUP}", f"warmup_env_steps={WARMUP}", "data.capacity=200", "data.batch_size=32"]
RUNS = {
    "pendulum_pqc": ["experiment=paper/pendulum_pqc"],
    "pendulum_pqc_parts": ["experiment=paper/pendulum_pqc", "gradient.fit_batches=4", "gradient.fit_every_updates=2"],
    "pendulum_pqc_fresh": ["experiment=paper/pendulum_pqc", "gradient.pairs=fresh", "gradient.value=block"],
    "pendulum_exact": ["experiment=paper/pendulum_pqc", "gradient=exact"],
    "pendulum_fc": ["experiment=paper/pendulum_fc"],
    "pendulum_rbg": ["experiment=paper/pendulum_rbg"],
    "pendulum_zeros": ["experiment=paper/pendulum_zeros"],
    "pendulum_two_envs": ["experiment=paper/pendulum_pqc", "num_envs=2", "updates_per_env_step=1"],
    "humanoid_fc": ["experiment=paper/humanoid_fc", "actor.hidden=64", "critic.hidden=64"],
}
"""Overrides by the name of a trace."""
SUMMED = {"observation": OBSERVATION, "action": ACTION, "reward": REWARD, "next": NEXT_OBSERVATION} | {
    "q_in": Q_IN,
    "q_out": Q_OUT,
}


class Recorder(Callback):
    """Keep each update's metrics and the means of its minibatch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Add a row."""
        row = {"env_steps": float(pl_module.env_steps)}
        row |= {name: value.mean().item() for name, value in pl_module.metrics.items()}
        self.rows.append(row | {name: batch.transitions[key].mean().item() for name, key in SUMMED.items()})


def config(overrides: list[str]) -> DictConfig:
    """Compose the config of a short run."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return compose("train", [*SHORT, "data.storage=memory", *overrides])


def trace(overrides: list[str]) -> list[dict[str, float]]:
    """Train for `UPDATES` updates and return what each of them saw and did."""
    cfg, recorder = config(overrides), Recorder()
    quiet_libraries()
    set_threads(1, 1)
    with TemporaryDirectory() as folder:
        task, context = construct_task(cfg), RunContext(Path(folder), seed=cfg.seed)
        module = task.make_module(context)
        stream = task.make_data(module, context)
        trainer = Trainer(
            accelerator="cpu",
            callbacks=[recorder],
            logger=False,
            max_epochs=1,
            max_steps=-1,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        trainer.fit(module, stream)  # type: ignore[arg-type]
    return recorder.rows


def main() -> None:
    """Write all traces."""
    for name, overrides in RUNS.items():
        rows = [{key: float(f"{value:.7g}") for key, value in row.items()} for row in trace(overrides)]
        (FOLDER / f"{name}.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
