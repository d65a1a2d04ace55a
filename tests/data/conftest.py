import os

import pytest

from qtrl.data import STORAGES


@pytest.fixture(params=STORAGES)
def storage(request):
    return request.param


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 8 rows; nobody cuts the power, so that nothing waits for the disk."""
    monkeypatch.setattr("qtrl.data.storage.ring.BLOCK_ROWS", 8)
    monkeypatch.setattr(os, "fsync", lambda file: None)
