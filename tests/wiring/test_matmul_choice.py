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
    ("overrides", "taken"),
    [
        ([], "medium"),
        (["deterministic=true"], "highest"),
        (["trainer=gpu"], "highest"),
        (["matmul_precision=high"], "high"),
        (["matmul_precision=medium", "deterministic=true"], "medium"),
    ],
)
def test_auto_measures_on_a_cpu_unless_the_run_must_repeat(compose, fast_medium, overrides, taken):
    cfg = compose("experiment=pendulum_pqc", *overrides)
    assert settle_matmul_precision(cfg) == taken
