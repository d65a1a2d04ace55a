import contextlib
import importlib
import os
import signal
import sys
from pathlib import Path

import pytest

pytest_plugins = ["quick_libraries", "synthetic_study"]
TESTS = Path(__file__).parent
NETWORK_FREE = {"WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
LIBRARIES = ("torch", "lightning.pytorch", "torchrl.data", "torchquantum", "gymnasium", "matplotlib.pyplot")
"""What most folders import. A worker does so before it measures coverage, under which it takes twice as long."""


NOT_MEASURED = (
    *("contracts/", "learning/", "reliability/", "security/", "traces/"),
    *("test_ddp.py", "test_extend.py", "test_package.py", "test_smoke.py"),
    *("callbacks/test_going_on.py", "commands/test_multirun.py", "config/test_configs.py", "run/test_training.py"),
    *("data/test_collector.py", "data/test_process_collector.py", "data/test_replay_damage.py"),
    *("data/test_replay_faults.py", "data/test_replay_files.py::test_the_last_two"),
    *("analysis/drawing/test_figures.py", "analysis/page/test_page.py::test_one_run"),
    *("analysis/page/test_page.py::test_texts", "commands/test_report.py::test_the_same_runs"),
    *("commands/test_command_line.py::test_a_mistake", "commands/tuning/test_tune.py::test_every_space"),
    *("commands/tuning/test_tune.py::test_what_is_wrong", "commands/tuning/test_tune.py::test_another_search"),
    *(
        "run/test_resume.py::test_what",
        "run/test_resume.py::test_another_logger",
        "run/test_resume.py::test_a_run_that",
    ),
)
"""Tests that coverage does not look at, since it doubles their time: whole runs, and families of equal tests.

The others reach over 90 % of the lines by themselves.
"""
SLOW = (
    *("test_smoke.py", "commands/", "contracts/", "reliability/", "security/", "callbacks/", "run/", "quantum/"),
    *("test_extend.py", "algos/", "data/", "analysis/"),
)
"""They begin first, so that at the end no process waits long for another."""
TOGETHER = {
    "report": ("analysis/", "commands/test_report"),
    "resume": ("reliability/test_exact_resume", "reliability/test_faults_in_runs", "reliability/test_failed_writes"),
    "kills": ("reliability/test_kills", "reliability/test_stops"),
    "security": ("security/",),
}
"""Files that share what takes long to make."""


if not any(Path("/dev").glob("nvidia*")):
    os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton, whose interpreter stands for a GPU


def pytest_configure(config):
    if hasattr(signal, "SIGHUP"):  # ignored below `nohup`, while tests send it to themselves
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if config.getoption("numprocesses", None):  # the process that only hands tests out
        return
    import torch

    if not torch.cuda.is_available():
        os.environ["TRITON_INTERPRET"] = "1"
    if hasattr(config, "workerinput"):
        for library in LIBRARIES:
            importlib.import_module(library)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one process, the slow ones first; with pytest 9.2, xdist 3.8 does not see its own groups."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0].removeprefix("tests/")
            return next((name for name, files in TOGETHER.items() if file.startswith(files)), file)

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.path.relative_to(TESTS).as_posix().startswith(SLOW))
    for item in items:
        if f"{item.path.relative_to(TESTS).as_posix()}::{item.name}".startswith(NOT_MEASURED):
            item.add_marker("no_cover")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def a_home_of_its_own(tmp_path_factory):
    """No test logs in, calls home, or is influenced by what the machine's user has set."""
    home = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(home / name.lower()))
        patch.setenv("NETRC", str(home / "no_netrc"))
        for name in ("WANDB_API_KEY", "HYDRA_FULL_ERROR", "QTRL_RUN_DIR", "LOCAL_RANK"):
            patch.delenv(name, raising=False)
        for name, value in NETWORK_FREE.items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def toy_envs(monkeypatch):
    """`toy_envs:ID` can be made."""
    monkeypatch.syspath_prepend(TESTS / "envs")


@contextlib.contextmanager
def clean_hydra():
    """Let Hydra begin anew. No config of qtrl's sets `hydra.mode`, for which it would compose each one twice.

    On a command line it is heeded.
    """
    from hydra._internal.hydra import Hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    def mode(hydra, config_name, overrides):
        return RunMode.MULTIRUN if "hydra.mode=MULTIRUN" in overrides else None

    GlobalHydra.instance().clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Hydra, "get_mode", mode)
            yield
    finally:
        GlobalHydra.instance().clear()


@pytest.fixture(scope="session")
def compose(compose_once):
    """Compose a config from overrides, with what a run needs of Hydra's own."""
    from hydra import compose, initialize_config_dir
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    from qtrl.config.location import config_dir

    def composed(*overrides, config_name="train"):
        with clean_hydra(), initialize_config_dir(config_dir(), version_base="1.3"):
            cfg = compose(config_name, overrides=list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg.copy())
        with open_dict(cfg):
            del cfg["hydra"]
        return cfg

    return composed


def call(main, arguments):
    """Call a command in this process and return its exit status."""
    before = sys.argv
    sys.argv = ["qtrl", *arguments]
    try:
        with clean_hydra():
            main()
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="session")
def train(compose_once):
    """Run `python -m qtrl.train ARGUMENTS` in this process, on one thread, and return its exit status.

    Its picture, a third of a short run's time, has a test of its own and is drawn in `run/test_training.py`.
    """
    from qtrl.files.atomic import write_bytes
    from qtrl.train import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qtrl.tasks.rl.draw_learning_curve", lambda table, picture, title: write_bytes(picture, b"PNG"))
        yield lambda *arguments: call(main, [*arguments, "num_threads=1"])


@pytest.fixture(scope="session")
def evaluate(compose_once):
    """Run `python -m qtrl.eval ARGUMENTS` in this process and return its exit status."""
    from qtrl.eval import main

    return lambda *arguments: call(main, arguments)


@pytest.fixture(scope="session")
def export(compose_once):
    """Run `python -m qtrl.export ARGUMENTS` in this process and return its exit status."""
    from qtrl.export import main

    return lambda *arguments: call(main, arguments)


@pytest.fixture(scope="session")
def dashboard(compose_once):
    """Run `python -m qtrl.dashboard ARGUMENTS` in this process and return its exit status."""
    from qtrl.dashboard import main

    return lambda *arguments: call(main, arguments)


@pytest.fixture(scope="session")
def report(compose_once):
    """Run `python -m qtrl.report ARGUMENTS` in this process and return its exit status."""
    from qtrl.report import main

    return lambda *arguments: call(main, arguments)


@pytest.fixture(scope="session")
def search(compose_once):
    """Run `python -m qtrl.tune ARGUMENTS` in this process and return its exit status."""
    from qtrl.tune import main

    return lambda *arguments: call(main, arguments)
