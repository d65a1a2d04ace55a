"""The recipes of docs/extend.md: each is written into an empty folder, as its first line says, and trained with."""

import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("default")
PAGE = (Path(__file__).parent.parent / "docs" / "extend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(?:python|yaml)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
HEAD = re.compile(r"(?:# @package \S+\n)?# (my_\w+/\S+\.(?:py|yaml))\n")
FILES = {head[1]: block for block in BLOCKS if (head := HEAD.match(block))}
SHORT = ("debug=smoke", "total_env_steps=60", "callbacks.test_max_episode_steps=10", "data.batch_size=4")


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    for path, text in FILES.items() | {("my_package/tasks.py", "from toy_task import Line as Line\n")}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield ("--config-dir", str(tmp_path / "my_configs"), *SHORT, f"run_dir={tmp_path / 'run'}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def test_every_recipe_is_tried():
    tried = {Path(path).stem for path in FILES if path.endswith(".yaml")}
    assert tried == {
        *("cosine", "hover", "hover_cosine", "jsonl", "normalized", "mixed", "without_replacement"),
        *("ising", "plain", "random_feedback", "scaled_reward", "deep", "line"),
    }


def test_block_environment_experiment_critic_exploration_sampler_and_logger(recipes, train, evaluate, tmp_path):
    choices = ("critic=normalized", "exploration=mixed", "data/sampler=without_replacement", "logger=jsonl")
    assert train(*recipes, "experiment=hover_cosine", "num_envs=2", *choices) == 0
    assert '"loss/critic"' in (tmp_path / "run" / "metrics.jsonl").read_text()
    own = ("blocks.Cosine", "critics.NormalizedCritic", "exploration.MixedNoise", "loggers.JsonLines", "envs:Hover-v0")
    names = [*(f"my_package.{name}" for name in own), "torchrl.data.SamplerWithoutReplacement"]
    tested = (f"run={tmp_path / 'run'}", "episodes=1")
    assert evaluate(*tested) == 2
    assert evaluate(*tested, f"trust=[{','.join(names)}]") == 0


@pytest.mark.parametrize(
    "choices",
    [
        ("circuit=ising", "engine=plain", "engine.double=false", "gradient=random_feedback"),
        ("actor=deep", "data/transform=scaled_reward"),
    ],
    ids=["circuit, engine, gradient", "actor, transform"],
)
def test_quantum_parts(choices, recipes, train):
    assert train(*recipes, "experiment=paper/pendulum_pqc", "logger=csv", *choices) == 0


def test_task(recipes, train):
    assert train(*recipes, "experiment=pendulum_pqc", "logger=csv", "task=line") == 0
