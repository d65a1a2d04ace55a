import os
import subprocess
import sys
from contextlib import nullcontext
from ctypes.util import find_library

import imageio.v2 as imageio
import mujoco
import numpy as np
import pytest

from qtrl.envs import make_env, write_video
from qtrl.envs.render import check_renderer, frames_per_second, pick_renderer, render_frame
from qtrl.errors import RenderError

EGL, OSMESA = ("EGL", "EGL_mesa"), ("OSMesa",)


def _install(monkeypatch, *names):
    monkeypatch.setattr("qtrl.envs.render.find_library", lambda name: f"lib{name}.so.1" if name in names else None)


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ((*EGL, *OSMESA), "egl"),
        (("EGL", "EGL_nvidia"), "egl"),
        (OSMESA, "osmesa"),
        (("EGL", *OSMESA), "osmesa"),  # EGL without a vendor's library draws nothing
        (("EGL",), None),
        ((), None),
    ],
)
def test_renderer_is_picked_by_what_is_installed(no_screen, monkeypatch, installed, chosen):
    _install(monkeypatch, *installed)
    pick_renderer()
    assert os.environ.get("MUJOCO_GL") == chosen
    assert os.environ["SDL_VIDEODRIVER"] == "dummy"


def test_users_choice_of_a_renderer_is_kept(no_screen, monkeypatch):
    _install(monkeypatch, *EGL, *OSMESA)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    pick_renderer()
    assert (os.environ["MUJOCO_GL"], os.environ["SDL_VIDEODRIVER"]) == ("osmesa", "offscreen")


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_screen_which_may_not_answer_is_not_asked(no_screen, monkeypatch, variable):
    _install(monkeypatch, *EGL)
    monkeypatch.setenv(variable, ":77")
    pick_renderer()
    assert (os.environ["MUJOCO_GL"], os.environ["SDL_VIDEODRIVER"]) == ("egl", "dummy")


def test_without_a_library_for_it_the_screen_is_left_to_mujoco(no_screen, monkeypatch):
    _install(monkeypatch)
    monkeypatch.setenv("DISPLAY", ":0")
    pick_renderer()
    assert "MUJOCO_GL" not in os.environ


def test_the_renderer_is_picked_before_anything_imports_one():
    script = "import sys; from qtrl.envs.render import pick_renderer; assert not {'mujoco', 'glfw'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_missing_library_is_named_with_its_package(no_screen, monkeypatch, backend):
    _install(monkeypatch)
    monkeypatch.setenv("MUJOCO_GL", backend)
    for fails in (check_renderer, pick_renderer, lambda: make_env("Humanoid-v4", render=True)):
        with pytest.raises(RenderError, match=f"MUJOCO_GL={backend}.*libegl1 and libegl-mesa0.*libosmesa6"):
            fails()


@pytest.mark.parametrize(
    ("value", "known"), [("nonsense", False), ("EGL", True), ("off", True), ("glfw", True), ("", True)]
)
def test_a_name_that_is_no_renderer_is_told_before_mujoco_is_imported(no_screen, monkeypatch, value, known):
    _install(monkeypatch, *EGL)
    monkeypatch.setenv("MUJOCO_GL", value)
    with nullcontext() if known else pytest.raises(RenderError, match="^MUJOCO_GL=nonsense is no renderer of MuJoCo's"):
        pick_renderer()


class _Unable:
    """Stands for an environment whose drawing fails as MuJoCo's does."""

    def __init__(self, error):
        self.error = error

    def render(self):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        mujoco.FatalError("an OpenGL platform library has not been loaded into this process, this most likely means"),
        AttributeError("'NoneType' object has no attribute 'eglQueryString'"),
        AttributeError("'OffScreenViewer' object has no attribute 'opengl_context'"),
        AttributeError("'NoneType' object has no attribute 'glGetError'"),
        RuntimeError(),
    ],
)
def test_failed_frame_says_what_to_install_in_one_line(error):
    with pytest.raises(RenderError, match=r"cannot render a frame \(.+\); for MuJoCo install libegl1") as caught:
        render_frame(_Unable(error))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*render_mode='rgb_array':UserWarning")
def test_environment_that_draws_nothing_is_refused(no_screen):
    env = make_env("toy_envs:Drawless-v0", render=True)
    env.reset(seed=0)
    with pytest.raises(RenderError, match="renders no RGB images"):
        render_frame(env)


@pytest.mark.skipif(
    not any(map(find_library, ("EGL_mesa", "EGL_nvidia", "OSMesa"))), reason="needs an EGL driver or libOSMesa"
)
def test_humanoid_is_drawn_without_a_screen(no_screen):
    env = make_env("Humanoid-v4", render=True)
    env.reset(seed=0)
    frame = render_frame(env)
    env.close()
    assert frame.shape == (480, 480, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 10


@pytest.mark.parametrize(
    ("env_id", "expected"), [("Humanoid-v4", 67), ("Pendulum-v1", 30), ("toy_envs:Counting-v0", 30)]
)
def test_frame_rate_is_the_environments_own(env_id, expected):
    assert frames_per_second(make_env(env_id)) == expected


@pytest.mark.parametrize("fps", [None, "fast", 0, -1])
def test_frame_rate_is_usual_where_what_is_told_is_none(fps):
    env = make_env("toy_envs:Counting-v0")
    env.unwrapped.metadata, env.unwrapped.dt = {"render_fps": fps}, lambda: 0.1
    assert frames_per_second(env) == 30


def test_frame_rate_comes_from_the_time_step_where_none_is_told():
    env = make_env("toy_envs:Counting-v0")
    env.unwrapped.dt = 0.02
    assert frames_per_second(env) == pytest.approx(50)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # imageio's reader leaves its pipes open
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 70), (33, 47)])
def test_video_is_read_back_with_all_its_frames(tmp_path, height, width):
    shades = [20, 60, 100, 140, 180, 220]
    frames = [np.full((height, width, 3), shade, dtype=np.uint8) for shade in shades]
    path = write_video(tmp_path / "new" / "folder" / "film.mp4", frames, 15)
    with imageio.get_reader(path) as reader:
        read, told = list(reader.iter_data()), reader.get_meta_data()
    assert [round(float(frame.mean())) for frame in read] == pytest.approx(shades, abs=3)
    assert read[0].shape == (height + height % 2, width + width % 2, 3)
    assert told["fps"] == 15
    assert told["codec"] == "h264"
    assert told["pix_fmt"].startswith("yuv420p")


def test_video_without_frames_is_refused(tmp_path):
    with pytest.raises(RenderError, match="no frames for"):
        write_video(tmp_path / "film.mp4", [], 30)
    assert not (tmp_path / "film.mp4").exists()


def test_video_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RenderError, match=r"cannot write .*film\.mp4") as error:
        write_video(tmp_path / "file" / "film.mp4", [np.zeros((4, 4, 3), dtype=np.uint8)], 30)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "camera"),
    [
        ("Humanoid-v4", {}, "track"),
        ("Hopper-v5", {}, "track"),
        ("Hopper-v5", {"camera_id": -1}, None),
        ("Hopper-v5", {"default_camera_config": {"distance": 9.0}}, None),
        ("InvertedPendulum-v5", {}, None),  # whose model has no such camera
    ],
)
def test_the_camera_follows_what_walks_unless_another_was_chosen(no_screen, env_id, kwargs, camera):
    with make_env(env_id, kwargs=kwargs, render=True) as env:
        renderer = env.unwrapped.mujoco_renderer
        number = renderer.camera_id
        assert (None if number == -1 else renderer.model.camera(number).name) == camera


def test_a_body_far_away_is_still_in_the_picture(no_screen):
    with make_env("Hopper-v5", render=True) as env:
        env.reset(seed=0)
        near = render_frame(env).astype(float)
        raw = env.unwrapped
        raw.set_state(raw.data.qpos + np.eye(raw.model.nq)[0] * 30.0, raw.data.qvel)
        far = render_frame(env).astype(float)
    body = near[150:400, 232:248]
    assert np.abs(body - far[150:400, 232:248]).mean() < 0.2 * np.abs(body - near[0, 0]).mean()  # which is the sky
