import pytest

from qtrl.matmul import MatmulPath
from qtrl.wiring import matmul
from qtrl.wiring.matmul import settle_matmul_precision


@pytest.fixture
def fast_medium(monkeypatch):
    """A machine on which `medium` is as accurate as `highest`, and twice as fast."""
    paths = [MatmulPath("highest", 100, 1e-6), MatmulPath("high", 100, 1e-6), MatmulPath("medium", 200, 1e-6)]
    monkeypatch.setattr(matmul, "measure_paths", lambda: paths)


@pytest.mark.parametrize(
    ("overrides", "ranks", "taken"),
    [
        ([], 1, "medium"),
        ([], 2, "highest"),
        (["deterministic=true"], 1, "highest"),
        (["trainer=gpu"], 1, "highest"),
        (["matmul_precision=high"], 2, "high"),
        (["matmul_precision=medium", "deterministic=true"], 1, "medium"),
    ],
)
def test_auto_measures_on_a_cpu_unless_the_run_must_repeat(compose, fast_medium, overrides, ranks, taken):
    cfg = compose("experiment=pendulum_pqc", *overrides)
    assert settle_matmul_precision(cfg, ranks) == taken
