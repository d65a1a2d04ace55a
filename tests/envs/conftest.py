import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def toy_envs_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture(autouse=True)
def workers_do_not_import_pytest(monkeypatch):
    """Spawned processes import the main module again, which takes as long as all that they need."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.delattr(main, "__file__", raising=False)


@pytest.fixture
def no_screen(monkeypatch):
    """A Linux machine without a screen, where nobody chose a renderer; what the code sets is taken back."""
    for name in ("MUJOCO_GL", "SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.setenv(name, "")  # so that the value of before comes back, absent or not
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.platform", "linux")
