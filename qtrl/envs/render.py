"""Rendering of frames and videos, which needs no display."""

import os
import sys
from collections.abc import Iterable
from ctypes.util import find_library
from numbers import Real
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from qtrl.errors import RenderError

KNOWN = {"", "egl", "osmesa", "glfw", "glx", "cgl", "wgl"} | {"enable", "enabled", "on", "true", "1"}
KNOWN |= {"disable", "disabled", "off", "false", "0"}
"""What MuJoCo takes for `MUJOCO_GL`, on one system or another."""
INSTALL = "install libegl1 and libegl-mesa0 for MUJOCO_GL=egl, or libosmesa6 for MUJOCO_GL=osmesa (Debian's names)"


def pick_renderer() -> None:
    """Select off-screen rendering, unless the user has selected a renderer.

    Sets `MUJOCO_GL` to `egl` or `osmesa`, the first whose libraries are installed, and `SDL_VIDEODRIVER` for
    environments that draw with pygame. Frames go into files alone, so a screen is not asked for: `DISPLAY` may name one
    that does not answer. To be called before anything imports a renderer, which `import mujoco` does.

    Raises:
        RenderError: `MUJOCO_GL` is set and names no renderer, or a library that is not installed.
    """
    if not sys.platform.startswith("linux"):
        return
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    check_renderer()
    installed = [backend for backend in ("egl", "osmesa") if _installed(backend)]
    if installed and not os.environ.get("MUJOCO_GL"):
        os.environ["MUJOCO_GL"] = installed[0]


def check_renderer() -> None:
    """Raise a `RenderError` if `MUJOCO_GL` names no renderer or a missing library: `import mujoco` would fail."""
    backend = os.environ.get("MUJOCO_GL", "").lower().strip()
    if backend not in KNOWN:
        raise RenderError(f"MUJOCO_GL={backend} is no renderer of MuJoCo's: write egl, osmesa or glfw, or unset it")
    if backend in ("egl", "osmesa") and not _installed(backend):
        raise RenderError(f"MUJOCO_GL={backend}, but its libraries were not found: {INSTALL}")


def _installed(backend: str) -> bool:
    if backend == "osmesa":
        return find_library("OSMesa") is not None
    # libEGL only dispatches to a vendor's library.
    return find_library("EGL") is not None and any(find_library(f"EGL_{vendor}") for vendor in ("nvidia", "mesa"))


def follow_body(env: gym.Env) -> None:
    """Let one of Gymnasium's MuJoCo environments be filmed by its model's camera `track`, if that has one.

    By default Gymnasium 1.4 films with a camera that stands still, out of whose view walkers soon walk
    (github.com/Farama-Foundation/Gymnasium/pull/1618).
    """
    import mujoco
    from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

    renderer = getattr(env.unwrapped, "mujoco_renderer", None)
    if isinstance(renderer, MujocoRenderer):
        renderer.camera_id = mujoco.mj_name2id(renderer.model, mujoco.mjtObj.mjOBJ_CAMERA, "track")  # -1 without


def render_frame(env: gym.Env) -> np.ndarray:
    """Render one RGB image, (height, width, 3) of uint8, of an environment made with `render=True`.

    Raises:
        RenderError: The environment cannot be rendered on this machine.
    """
    try:
        frame = env.render()
    except Exception as error:  # FatalError, AttributeError or RuntimeError, by what is missing
        reason = str(error).split(",")[0].splitlines()[0] if str(error) else type(error).__name__
        raise RenderError(f"cannot render a frame ({reason}); for MuJoCo {INSTALL}") from error
    if not isinstance(frame, np.ndarray):
        raise RenderError(f"{env.spec.id} renders no RGB images, so there is nothing to film")
    return frame


def frames_per_second(env: gym.Env) -> float:
    """Return the frame rate at which one frame per env step plays in real time; 30 where that is unknown."""
    fps, time_step = env.metadata.get("render_fps"), getattr(env.unwrapped, "dt", None)
    if isinstance(fps, Real) and float(fps) > 0:
        return float(fps)
    return 1.0 / float(time_step) if isinstance(time_step, Real) and float(time_step) > 0 else 30.0


def write_video(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> Path:
    """Write an MP4 (H.264, yuv420p, which every browser plays) and return its path.

    Args:
        path: Ends in `.mp4`; its folder is made.
        frames: RGB images of one size, (height, width, 3) of uint8; an odd height or width grows by a pixel.
        fps: Frames per second.

    Raises:
        RenderError: There are no frames, or the video cannot be written.
    """
    import imageio.v2 as imageio

    path, images = Path(path), list(frames)
    if not images:
        raise RenderError(f"no frames for {path}, expected at least one")
    # The codec needs even sizes; imageio's default stretches to multiples of 16.
    options: dict[str, Any] = {"codec": "libx264", "pixelformat": "yuv420p", "macro_block_size": 2}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        imageio.mimwrite(path, images, format="FFMPEG", fps=fps, **options)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise RenderError(f"cannot write {path}: {str(error).splitlines()[0]}") from error
    return path
