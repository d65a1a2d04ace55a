from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def toy_envs_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture
def no_screen(monkeypatch):
    """A Linux machine without a screen, where nobody chose a renderer; what the code sets is taken back."""
    for name in ("MUJOCO_GL", "SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.setenv(name, "")  # so that the value of before comes back, absent or not
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.platform", "linux")
