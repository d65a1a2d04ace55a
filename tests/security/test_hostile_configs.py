import os
import resource
import shutil
import sys

import pytest
import yaml

from qtrl.config.location import config_dir
from qtrl.config.saved import LARGEST, checked_text, load_config, read_config
from qtrl.config.trusted_classes import trusted_classes
from qtrl.config.validation.checks import check_config
from qtrl.errors import RunFolderError

COMMANDS = ("eval", "train", "load")
PAYLOAD = {"_target_": "os.system", "command": "touch boom"}
HOSTILE_TARGETS = {
    "torch.load": {"engine": {"_target_": "torch.load", "f": "x.pt", "weights_only": False}},
    "lightning's loader": {"engine": {"_target_": "lightning.fabric.utilities.cloud_io._load", "path_or_url": "x.pt"}},
    "open": {"gradient": {"_target_": "builtins.open", "file": "boom", "mode": "w"}},
    "io.open": {"gradient": {"_target_": "io.open", "file": "boom", "mode": "w"}},
    "write_text": {"block": {"_target_": "pathlib.Path.write_text", "data": "x"}},
    "copyfile": {"circuit": {"_target_": "shutil.copyfile", "src": "a", "dst": "b"}},
    "rmtree": {"circuit": {"_target_": "shutil.rmtree", "path": "absent"}},
    "os.system": {"circuit": PAYLOAD},
    "a module that has os": {"circuit": {"_target_": "logging.os.system", "command": "touch boom"}},
    "subprocess": {"engine": {"_target_": "subprocess.Popen", "args": ["touch", "boom"]}},
    "eval": {"engine": {"_target_": "builtins.eval", "_args_": ["1"]}},
    "runpy": {"trainer": {"_target_": "runpy.run_path", "path_name": "x.py"}},
    "pickle": {"trainer": {"_target_": "pickle.load"}},
    "import": {"logger": {"_target_": "importlib.import_module", "name": "antigravity"}},
    "safe globals": {"logger": {"_target_": "torch.serialization.add_safe_globals"}},
    "a module not imported yet": {"algo._target_": "antigravity.fly"},
    "a module of qtrl's": {"algo._target_": "qtrl.run.folder.os.system"},
    "a prefix": {"algo._target_": "qtrl.algos.TD3.__init__"},
    "another place's": {"circuit._target_": "lightning.pytorch.Trainer"},
    "an optimizer": {"algo.actor_optimizer._target_": "antigravity.Adam"},
    "a stand-in of a study": {"block._target_": "qtrl.nn.stand_ins.OtherStates"},
    "a new node": {"block.extra": PAYLOAD},
    "a deep one": {"block.circuit": {"_target_": "qtrl.quantum.fixed_angles", "family": {"a": {"b": PAYLOAD}}}},
    "a wrapper": {"env.wrappers": [PAYLOAD]},
    "an argument of the environment": {"env.kwargs": {"hook": PAYLOAD}},
    "in a list": {"trainer.callbacks": [PAYLOAD]},
    "in a list of lists": {"tags": [[{"a": PAYLOAD}]]},
    "in arguments": {"circuit._args_": [PAYLOAD]},
    "no text": {"circuit._target_": ["qtrl.quantum.efficient_su2"]},
}
OTHER_KEYS = {
    "arguments": {"circuit._args_": [5, 3]},
    "convert": {"circuit._convert_": "object"},
    "recursive": {"circuit._recursive_": False},
    "mode": {"block._mode_": "call"},
    "partial": {"block._partial_": "os.system"},
    "unknown at the top": {"hydra": {"run": {"dir": "/"}}},
    "a word that is none": {"a\nb": 1},
    "an environment's module": {"env.id": "antigravity:Fly-v0"},
    "a file for an environment": {"env.kwargs": {"xml_file": "/etc/passwd"}},
    "a deep text for an environment": {"env.kwargs": {"a": [{"b": "antigravity:fly"}]}},
    "no environment": {"env": None},
    "an environment that is a list": {"env.id": ["Pendulum-v1"]},
}
INTERPOLATIONS = ("${oc.env:CANARY_TOKEN}", "x${seed}", "${oc.decode:'1'}", "$${seed}", "${oc.env:HOME}")
TEXTS = {
    "alias bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(
        f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "an anchor": "seed: &a 1\n",
    "a merge": "a: {b: 1}\n<<: {c: 1}\n",
    "a repeated key": "seed: 1\nseed: 2\n",
    "deep lists": "seed: " + "[" * 100_000,
    "deep mappings": "seed: " + "{a: " * 50_000,
    "deep blocks": "seed:\n" + "".join(" " * n + "a:\n" for n in range(1, 600)),
    "huge": "seed: " + "x" * LARGEST,
    "a huge number": "seed: " + "9" * 200_000,
    "a huge list": "tags: [" + "1," * 100_000 + "]",
    "an object": "seed: !!python/object/apply:os.system ['touch boom']",
    "a module": "seed: !!python/module:antigravity",
    "a date": "seed: 2001-01-01",
    "bytes": "seed: !!binary aGVsbG8=",
    "a set": "seed: !!set {a, b}",
    "a number as key": "1: 2",
    "a list as key": "[1]: 2",
    "no number": "seed: .nan",
    "a bell": 'seed: "\\e[2J\\a"',
    "two documents": "a: 1\n---\nb: 2\n",
    "a list": "- 1\n",
    "nothing": "",
    "zeros": "\0" * 1000,
}
SIZES = {
    "actor.hidden": 10**9,
    "actor.links": 10**9,
    "critic.hidden": 10**9,
    "circuit.n_qubits": 10**6,
    "circuit.reps": 10**9,
    "block.circuit.n_qubits": 10**6,
    "block.circuit.reps": 10**9,
    "block.shots": 10**12,
    "gradient.hidden": 10**9,
    "gradient.window": 10**13,
    "gradient.fresh_rows": 10**9,
    "gradient.fit_batches": 10**9,
    "gradient.fit_epochs": 10**9,
    "data.batch_size": 10**9,
    "data.capacity": 10**13,
    "num_envs": 10**6,
    "env.workers": 10**6,
    "num_threads": 10**6,
    "callbacks.probe_rows": 10**9,
    "callbacks.test_episodes": 10**9,
    "total_env_steps": 10**15,
    "trainer.devices": 10**6,
}
TYPES = {
    "callbacks.log_info": ["a b"],
    "actor.hidden": [256],
    "algo.gamma": "0.99; import os",
    "data.storage": ["memory"],
    "data.batch_size": {"a": 1},
    "circuit.n_qubits": 5.5,
    "trainer.devices": "1000000",
    "algo": [],
    "callbacks": "none",
    "block": None,
    "circuit.rotations": 7,
    "circuit.base": ["x"],
    "block.circuit.base": {"a": 1},
    "actor.q_out_center": "half",
    "exploration.angle_noise": [0.1],
    "gradient.pairs": ["stored"],
    "gradient.centered": "yes",
    "normalize": ["running"],
    "circuit.entanglement": ["linear"],
    "engine.candidates": "auto",
    "block.engine.candidates": {"a": 1},
    "env.max_episode_steps": "many",
    "block.readout": ["mean"],
    "gradient": 5,
    "critic": None,
    "exploration": [],
    "data": [1],
    "trainer": "cpu",
}


@pytest.fixture
def modules():
    """What is imported stays as it is."""
    before = set(sys.modules)
    yield
    assert "antigravity" not in sys.modules
    assert {name for name in set(sys.modules) - before if not name.startswith(("yaml", "qtrl", "encodings"))} == set()


@pytest.mark.parametrize("case", HOSTILE_TARGETS)
def test_a_class_that_is_not_on_the_list_is_refused_before_it_is_looked_up(case, run, edit, modules):
    edit(HOSTILE_TARGETS[case])
    with pytest.raises(RunFolderError, match=r"names .*, which is no class|has the key '_args_'"):
        load_config(run)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", ["os.system", "in a list", "in arguments", "a deep one"])
def test_commands_refuse_it_in_one_line(case, command, run, edit, refused, monkeypatch):
    monkeypatch.chdir(run.parent)
    edit(HOSTILE_TARGETS[case])
    assert "config.yaml" in refused(command)
    assert not (run.parent / "boom").exists()


@pytest.mark.parametrize("case", OTHER_KEYS)
def test_other_keys_that_qtrl_never_writes_are_refused(case, run, edit, modules):
    edit(OTHER_KEYS[case])
    with pytest.raises(RunFolderError) as caught:
        load_config(run)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", INTERPOLATIONS)
@pytest.mark.parametrize("key", ["experiment", "logger.project", "env.id", "tags"])
def test_nothing_in_a_saved_config_refers_to_anything(text, key, run, edit, monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", "canary-that-must-not-sing")
    edit({key: [text] if key == "tags" else text})
    with pytest.raises(RunFolderError, match="refers to something else") as caught:
        load_config(run)
    assert "canary-that" not in str(caught.value)


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_no_yaml_of_qtrls_is_refused_with_bounded_work(case, tmp_path, monkeypatch):
    path, composed = tmp_path / "config.yaml", []
    compose_node = yaml.SafeLoader.compose_node
    monkeypatch.setattr(
        yaml.SafeLoader, "compose_node", lambda *arguments: composed.append(1) or compose_node(*arguments)
    )
    path.write_text(TEXTS[case])
    with pytest.raises(RunFolderError) as caught:
        read_config(path, ())
    assert len(composed) <= 5_001
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("key", SIZES)
def test_a_hostile_size_is_told_before_anything_is_allocated(key, edit, refused):
    edit({key: SIZES[key]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = refused("eval")
    assert f"{key}={SIZES[key]} is not allowed: expected an integer of at most " in line
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


@pytest.mark.parametrize(
    "values",
    [
        {"circuit.n_qubits": 60, "circuit.reps": 1000},
        {"circuit.rotations": ["ry"] * 1000, "circuit.reps": 1000},
        {"actor.hidden": 8000, "circuit.reps": 1000, "circuit.n_qubits": 20},
        {"actor.hidden": 8000},
    ],
)
def test_sizes_that_are_hostile_only_together_are_told_too(values, edit, refused):
    edit(values)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert any(words in refused("eval") for words in ("is not allowed", "belongs to another architecture"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("key", TYPES)
def test_a_value_of_another_type_is_told_in_one_line(key, command, edit, refused):
    edit({key: TYPES[key]})
    if key != "engine.candidates":  # the block's own counts
        refused(command)


def test_no_name_on_the_list_leads_anywhere_but_to_its_class():
    from hydra.utils import get_object

    for names in trusted_classes().values():
        for name in names:
            package, _, last = name.rpartition(".")
            assert get_object(name).__name__ == last
            assert package.split(".")[0] in {"qtrl", "torch", "torchrl", "lightning"}


def test_a_class_of_a_config_of_qtrls_own_may_stand_where_that_config_puts_it(tmp_path, monkeypatch):
    folder = shutil.copytree(config_dir(), tmp_path / "configs")
    (folder / "block" / "mine.yaml").write_text("_target_: my_blocks.Mine\n_partial_: true\n")
    monkeypatch.setattr("qtrl.config.trusted_classes.config_dir", lambda: str(folder))
    before, now = trusted_classes(), trusted_classes.__wrapped__()
    assert now["block"] == before["block"] | {"my_blocks.Mine"}
    assert {key: names for key, names in now.items() if key != "block"} == {
        key: names for key, names in before.items() if key != "block"
    }


CHOICES = [
    *(f"circuit={name}" for name in ("data_reuploading", "efficient_su2", "fixed_angles", "no_entangler")),
    *(f"block={name}" for name in ("pqc", "fc", "rbg", "zeros")),
    *(f"gradient={name}" for name in ("qtdnn", "exact", "parameter_shift", "spsa", "straight_through", "zero")),
    "gradient=qtdnn_local",
    "actor=hybrid_local",
    "recipe=local",
    "optim@algo.actor_optimizer=adamw",
    "trainer=ddp",
    "trainer=gpu",
    "logger=csv",
    "logger=tensorboard",
    "logger=[csv,wandb,tensorboard]",
]


@pytest.mark.parametrize("choice", CHOICES)
def test_every_config_that_qtrl_saves_is_read_back(choice, compose, tmp_path):
    from omegaconf import OmegaConf, open_dict

    cfg = compose("experiment=pendulum_pqc", choice, "trust=[a.B]")
    with open_dict(cfg):
        cfg.experiment = "pendulum_pqc"
    (tmp_path / "config.yaml").write_text(checked_text(cfg))
    again = load_config(tmp_path)
    check_config(again)
    theirs = {"trust", "run_dir", "ckpt_path", "paths"}
    plain, expected = (OmegaConf.to_container(config, resolve=True) for config in (again, cfg))
    assert {key: plain[key] for key in plain if key not in theirs} == {
        key: expected[key] for key in expected if key not in theirs
    }


def test_where_a_run_lies_is_not_taken_from_its_config(run, edit):
    edit({"run_dir": "/nowhere", "ckpt_path": "/nowhere/a.ckpt", "paths": {"runs": "/nowhere"}, "trust": ["os.system"]})
    cfg = load_config(run)
    assert (cfg.run_dir, cfg.ckpt_path, cfg.paths.runs) == (str(run), None, str(run.parent))
    assert "trust" not in cfg


def test_a_config_cannot_trust_itself(run, edit):
    edit({"trust": ["os.system"], "circuit": PAYLOAD})
    with pytest.raises(RunFolderError, match="names 'os.system'"):
        load_config(run)


def test_classes_and_environments_of_ones_own_are_opened_by_naming_them(train, evaluate, capsys, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my_blocks.py").write_text("from qtrl.nn import Zeros\n\nclass Mine(Zeros):\n    pass\n")
    (tmp_path / "mine" / "my_envs.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('Mine-v0', 'gymnasium.envs.classic_control.pendulum:PendulumEnv', max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "mine")
    folder = tmp_path / "run"
    names = ("block._target_=my_blocks.Mine", "env.id=my_envs:Mine-v0")
    smoke = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "total_env_steps=20", "warmup_env_steps=10")
    assert train(*smoke, *names, f"run_dir={folder}") == 0
    for trust in ("[]", "[my_blocks.Mine]", "[my_envs:Mine-v0]", "[my_blocks,my_envs]"):
        assert evaluate(f"run={folder}", "episodes=1", f"trust={trust}") == 2
        assert "add trust=[" in capsys.readouterr().err
    trust = "trust=[my_blocks.Mine,my_envs:Mine-v0]"
    assert evaluate(f"run={folder}", "episodes=1", trust) == 0
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=22", trust) == 0
    assert "trust" not in yaml.safe_load((folder / "config.yaml").read_text())


@pytest.mark.parametrize("trust", ["x", "[1]", "null"])
def test_trust_is_a_list_of_names(trust, refused):
    assert "is not allowed: expected names as in trust=[" in refused("eval", f"trust={trust}")


def test_the_config_is_no_link_and_no_fifo(run, tmp_path, refused):
    path, secret = run / "config.yaml", tmp_path / "secret"
    secret.write_text("password: canary-that-must-not-sing")
    path.unlink()
    path.symlink_to(secret)
    assert "canary" not in refused("eval")
    path.unlink()
    os.mkfifo(path)
    assert "is not a run folder" in refused("eval")
