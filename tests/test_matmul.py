import pytest
import torch

from qtrl.matmul import PRECISIONS, MatmulPath, fastest_accurate, matmul_precision, measure_paths


def paths(high, medium):
    """Paths with (GFLOP/s, error), beside a highest one of 100 GFLOP/s and an error of 1e-6."""
    return [MatmulPath("highest", 100, 1e-6), MatmulPath("high", *high), MatmulPath("medium", *medium)]


@pytest.mark.parametrize(
    ("high", "medium", "taken"),
    [
        ((101, 1e-6), (102, 1e-6), "highest"),  # no faster than noise
        ((100, 1e-6), (230, 1.4e-6), "medium"),
        ((180, 1e-6), (230, 1e-6), "medium"),
        ((225, 1e-6), (230, 1e-6), "high"),  # two names of the same path
        ((180, 1e-6), (400, 1e-2), "high"),  # the fastest rounds its factors
        ((300, 1e-3), (400, 1e-2), "highest"),
    ],
)
def test_the_fastest_path_is_taken_that_is_accurate_and_clearly_faster(high, medium, taken):
    assert fastest_accurate(paths(high, medium)).precision == taken


def test_every_path_is_measured_and_the_precision_left_as_it_was():
    before = torch.get_float32_matmul_precision()
    measured = measure_paths()
    assert tuple(path.precision for path in measured) == PRECISIONS
    assert all(path.gflops > 0 for path in measured)
    assert 0 < measured[0].error < 1e-4
    assert torch.get_float32_matmul_precision() == before


def test_the_precision_holds_inside_and_comes_back_after_an_error():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError, match="inside"), matmul_precision("medium"):
        assert torch.get_float32_matmul_precision() == "medium"
        raise RuntimeError("inside")
    assert torch.get_float32_matmul_precision() == before
