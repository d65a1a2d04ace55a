import pytest

from qtrl.loggers.wandb import teardown


@pytest.fixture
def service_ends():
    """W&B's service, a process of its own, does not outlive the test."""
    yield
    teardown()
