from types import SimpleNamespace

import pytest
from lightning.pytorch import Trainer

from qtrl import callbacks
from qtrl.callbacks import AtomicCheckpointIO
from qtrl.config.instantiate import construct_task
from qtrl.keys import METRICS, probe_metrics
from qtrl.loggers import MetricsCSV
from qtrl.process.quiet import quiet_libraries
from qtrl.process.stopping import Stop
from qtrl.tasks import RunContext

ENV, LIMIT = "Pendulum-v1", 7


class Rows(MetricsCSV):
    """Keeps the rows in memory."""

    def __init__(self, rows):
        super().__init__(None)
        self.rows, self.summary = rows, None

    def log_metrics(self, metrics, step=None):
        assert set(metrics) <= {*METRICS, *probe_metrics({"layer": 2})}
        self.rows.append(dict(metrics))

    def log_summary(self, summary):
        self.summary = summary


def runs_in(folder, compose):
    def run(
        make, *, name="run", seed=0, total=30, every=10, before=None, stop=None, test=None, overrides=(), **options
    ):
        quiet_libraries()
        cfg = compose(
            "experiment=paper/pendulum_pqc",
            "debug=smoke",
            "circuit.n_qubits=2",
            "circuit.reps=1",
            "gradient.hidden=8",
            "actor.hidden=8",
            "critic.hidden=8",
            f"total_env_steps={total}",
            "warmup_env_steps=10",
            "env.max_episode_steps=6",
            f"seed={seed}",
            *overrides,
        )
        task, context = construct_task(cfg), RunContext(folder / name, seed=cfg.seed, stop=stop or Stop())
        module = task.make_module(context)
        stream = task.make_data(module, context)
        testing = callbacks.Testing(
            ENV,
            episodes=2,
            every_env_steps=every,
            seed=seed,
            options={"max_episode_steps": LIMIT},
            stop=stop,
            **(test or {}),
        )
        if before:
            before(module, testing)
        logger = Rows(run.rows.setdefault(name, []))
        off = ("enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=logger,
            callbacks=make(testing),
            plugins=[AtomicCheckpointIO()],
            **dict.fromkeys(off, False),
        )
        trainer.fit(module, stream, **options)
        return SimpleNamespace(module=module, testing=testing, rows=logger.rows, logger=logger, stream=stream)

    run.rows = {}
    return run


@pytest.fixture
def small_run(compose, tmp_path):
    """A run of 30 env steps, 10 of them warm-up, with callbacks by `make(testing)`; runs of one name are one run."""
    return runs_in(tmp_path, compose)


@pytest.fixture(scope="module")
def shared_run(compose, tmp_path_factory):
    """The same for what tests only read."""
    return runs_in(tmp_path_factory.mktemp("runs"), compose)
