import functools

import pytest
from comparing import digests
from forked_runs import ForkedRuns

SMALL = (
    "debug=smoke",
    "logger=csv",
    "total_env_steps=80",
    "warmup_env_steps=20",
    "test_every_env_steps=40",
    "checkpoint_every_env_steps=40",
    "callbacks.test_max_episode_steps=5",
    "callbacks.probe_every_env_steps=40",
    "callbacks.probe_rows=4",
    "env.max_episode_steps=15",
    "data.batch_size=8",
    "data.capacity=50",
    "actor.hidden=16",
    "critic.hidden=16",
    "circuit.reps=1",
)


@pytest.fixture(scope="session")
def small():
    """Overrides of a run of a second: 80 env steps, episodes of 15, a ring of 50 rows."""
    return SMALL


@pytest.fixture(scope="module", autouse=True)
def no_pictures():
    """What these tests compare has no picture in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qtrl.tasks.rl.draw_learning_curve", lambda *args, **kwargs: None)
        yield


@pytest.fixture(scope="session")
def whole(train, tmp_path_factory):
    """Return the digests of a small run that nothing happened to, by its overrides."""

    @functools.cache
    def digested(*overrides):
        folder = tmp_path_factory.mktemp("whole") / "run"
        assert train(*SMALL, *overrides, f"run_dir={folder}") == 0
        return digests(folder)

    return digested


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Run the command in forks of one process."""
    with ForkedRuns(tmp_path_factory.mktemp("forked")) as forked:
        yield forked
