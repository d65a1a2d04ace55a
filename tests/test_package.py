import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qtrl

ROOT = Path(__file__).resolve().parent.parent
FILES = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "qtrl").rglob("*.py"))]
MODULES = [".".join(path.parts).removesuffix(".__init__") for path in FILES]


def packages_loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split())


def test_importing_qtrl_loads_the_standard_library_alone() -> None:
    loaded = packages_loaded_by("import qtrl") - packages_loaded_by("pass")
    assert loaded - sys.stdlib_module_names == {"qtrl"}


def test_importing_the_layers_loads_no_optional_package() -> None:
    loaded = packages_loaded_by("import qtrl.quantum, qtrl.surrogate, qtrl.nn")
    assert not loaded & {"gymnasium", "hydra", "lightning", "mujoco", "qiskit", "torchquantum", "torchrl", "wandb"}


LOADED = 'print("loaded:", *{name.partition(".")[0] for name in sys.modules})'
HELP = f"""if True:
    import atexit, sys
    from COMMAND import main

    atexit.register(lambda: {LOADED})
    sys.argv[1:] = ["--help"]
    main()
"""
FIRST_STEP = f"""if True:
    import sys
    import gymnasium as gym
    from gymnasium.envs.classic_control import PendulumEnv
    from qtrl.train import main

    class FirstStep(PendulumEnv):
        def step(self, action):
            {LOADED}
            raise KeyboardInterrupt

    gym.register("FirstStep-v0", entry_point=FirstStep, max_episode_steps=10)
    sys.argv[1:] = ["experiment=pendulum_pqc", "env.id=FirstStep-v0", "logger=csv", "run_dir=run"]
    main()
"""


@pytest.fixture
def loaded_in(tmp_path):
    def loaded(code: str) -> set[str]:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("loaded: ")]
        return set(line.split())

    return loaded


def test_help_loads_nothing_heavier_than_hydra(loaded_in) -> None:
    loaded = loaded_in(HELP.replace("COMMAND", "qtrl.train"))
    assert "hydra" in loaded
    assert not loaded & {"gymnasium", "lightning", "mujoco", "numba", "numpy", "torch", "torchrl", "wandb"}


def test_help_of_the_report_loads_no_package_of_its_work(loaded_in) -> None:
    loaded = loaded_in(HELP.replace("COMMAND", "qtrl.report"))
    assert not loaded & {"jinja2", "lightning", "matplotlib", "scipy", "torch", "torchrl", "wandb"}


def test_the_first_env_step_waits_for_no_package_that_it_does_not_need(loaded_in) -> None:
    loaded = loaded_in(FIRST_STEP)
    assert {"lightning", "numba"} <= loaded
    if importlib.util.find_spec("stable_baselines3") is None:  # which TorchRL imports where it is installed
        assert "tensorboard" not in loaded
    assert not loaded & {"imageio", "imageio_ffmpeg", "pennylane", "qiskit", "torchquantum", "wandb"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_version_is_the_one_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert qtrl.__version__ == project["version"]
