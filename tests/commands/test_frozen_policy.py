import csv
import json
import shutil
from dataclasses import replace

import pytest
import torch
from omegaconf import OmegaConf

from qtrl.commands.agent import Agent, load_agent
from qtrl.commands.conditions import UnfitConditionError, read_conditions
from qtrl.commands.frozen_policy import Trained
from qtrl.errors import ConfigError
from qtrl.nn import RBG, Direct, Zeros

SMOKE = ("debug=smoke", "logger=csv", "env.max_episode_steps=15")
CIRCUIT = ["shots_1", "shots_10", "shots_100", "shots_1000", "exact"]
FLIPS = ["flips_1_percent", "flips_5_percent", "flips_10_percent"]
UNINFORMED = ["held_at_mean", "other_states", "random_bits", "zeros"]
ALL = [*CIRCUIT, *FLIPS, "surrogate", *UNINFORMED]


@pytest.fixture(scope="module")
def trained_run(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "pqc"
    assert train(*SMOKE, "experiment=paper/pendulum_pqc", f"run_dir={folder}") == 0
    return folder


@pytest.fixture
def run(trained_run, tmp_path):
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.fixture
def study(evaluate, run):
    """Run the study with more arguments; return its JSON."""
    return lambda *arguments: studied(evaluate, run, *arguments)


def studied(evaluate, folder, *arguments):
    assert evaluate(f"run={folder}", "ablation=frozen_policy", "episodes=5", *arguments) == 0
    (path,) = (folder / "eval").glob("*.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def whole(evaluate, trained_run, tmp_path_factory):
    """The folder of a run with the whole study in it, and its JSON."""
    folder = shutil.copytree(trained_run, tmp_path_factory.mktemp("whole") / "run")
    return folder, studied(evaluate, folder, "checkpoint=best", "seed=7")


@pytest.fixture(scope="module")
def opened(compose, trained_run):
    """The agent, what its block gave for some states, and the conditions by name."""
    cfg = compose(f"run={trained_run}", "ablation=frozen_policy", config_name="eval")
    agent = load_agent(cfg)
    q_in = torch.randn(50, agent.actor.layer.block.n_in, generator=torch.Generator().manual_seed(0))
    q_out = agent.actor.layer.block(q_in, torch.Generator().manual_seed(0))
    trained = Trained(agent.actor.layer.block, agent.actor.layer.estimator, q_out)
    return agent, trained, q_in, {condition.name: condition for condition in read_conditions(cfg.ablation)}


def by_name(result):
    return {condition["name"]: condition for condition in result["conditions"]}


def test_the_study_tests_every_condition_on_the_same_starts(whole):
    _, result = whole
    assert list(by_name(result)) == ["own", *ALL]
    assert (result["ablation"], result["status"], result["left_out"]) == ("frozen_policy", "complete", {})
    assert (result["episodes"], result["seed"], result["checkpoint"], result["env_steps"]) == (5, 7, "best", 100)
    own = by_name(result)["own"]["return_per_episode"]
    for condition in result["conditions"]:
        differences = [new - old for new, old in zip(condition["return_per_episode"], own, strict=True)]
        assert condition["difference"] == pytest.approx(sum(differences) / 5)
        assert condition["low"] <= condition["difference"] <= condition["high"]
        assert condition["length_per_episode"] == [15] * 5
    assert by_name(result)["shots_100"]["return_per_episode"] == own  # the run's own setting
    assert by_name(result)["zeros"]["return_per_episode"] != own
    assert [name for name, condition in by_name(result).items() if condition["uninformed"]] == UNINFORMED
    assert "one policy" in result["note"]
    assert result["verdict"]


def test_its_files_agree(whole):
    folder, result = whole
    (table,), (picture,) = (list((folder / "eval").glob(f"*-frozen_policy.{kind}")) for kind in ("csv", "png"))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["condition"] for row in rows] == list(by_name(result))
    assert [float(row["difference"]) for row in rows] == [row["difference"] for row in result["conditions"]]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {"gymnasium", "mujoco", "torch"} <= set(result["versions"])
    assert (result["env_id"], result["observation_size"], result["action_size"]) == ("Pendulum-v1", 3, 1)


def test_it_says_how_each_condition_read_the_circuit(whole):
    found = by_name(whole[1])
    assert [found[name]["shots"] for name in ("own", "shots_10", "shots_1000")] == [100, 10, 1000]
    assert [found[name]["readout"] for name in ("own", "shots_1", "exact")] == ["mean", "sample", "expectation"]
    assert [found[name]["readout_error"] for name in ("own", *FLIPS)] == [0.0, 0.01, 0.05, 0.1]
    costs = [found[name]["cost"] for name in ("own", "shots_1", "zeros")]
    assert [cost["circuits"] for cost in costs] == [75, 75, 0]
    assert [cost["shots"] for cost in costs] == [7500, 75, 0]
    assert [found[name]["engine"] is None for name in ("own", "surrogate", "zeros")] == [False, True, True]


def test_a_condition_of_ones_own_is_added_on_the_command_line(study, capsys):
    added = ("+ablation.conditions.mine.block.readout=mean", "+ablation.conditions.mine.block.shots=1")
    result = study(*added, "~ablation.conditions.random_bits")
    found = by_name(result)
    assert list(found) == ["own", *(name for name in ALL if name != "random_bits"), "mine"]
    assert found["mine"]["return_per_episode"] == found["shots_1"]["return_per_episode"]
    printed, told = capsys.readouterr()
    assert all(f"\n  {name} " in printed for name in found)
    assert f"qtrl: {result['verdict']}\n" in printed
    assert "14 of 14: mine, return" in told


def test_options_of_the_command_line_change_what_is_compared_with(study):
    found = by_name(study("shots=10", "readout_error=0.05", "engine=statevector"))
    own = found["own"]
    assert (own["shots"], own["readout_error"], own["engine"]) == (10, 0.05, "statevector")
    assert found["flips_5_percent"]["return_per_episode"] == own["return_per_episode"]


def test_conditions_that_were_finished_are_kept(run, evaluate, monkeypatch):
    play, calls = Agent.play, []

    def dies_at_the_third(agent, options, **more):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return play(agent, options, **more)

    monkeypatch.setattr(Agent, "play", dies_at_the_third)
    assert evaluate(f"run={run}", "ablation=frozen_policy", "episodes=5") == 130
    (path,) = (run / "eval").iterdir()
    result = json.loads(path.read_text())
    assert result["status"] == "2 of 14 conditions"
    assert list(by_name(result)) == ["own", "shots_1"]


def test_of_a_block_without_a_circuit_what_does_not_apply_is_named(train, evaluate, tmp_path, capsys):
    folder = tmp_path / "fc"
    assert train(*SMOKE, "experiment=paper/pendulum_fc", "callbacks.test_max_episode_steps=5", f"run_dir={folder}") == 0
    result = studied(evaluate, folder)
    assert list(result["left_out"]) == [*CIRCUIT, *FLIPS, "surrogate"]
    assert list(by_name(result)) == ["own", *UNINFORMED]
    assert result["left_out"]["surrogate"] == "no surrogate was fitted to this run's block"
    own = by_name(result)["own"]["return_per_episode"]
    assert all(by_name(result)[name]["return_per_episode"] != own for name in UNINFORMED)
    assert "exact is left out: this run's block, FC, has no readout" in capsys.readouterr().out


def test_an_actor_without_a_quantum_layer_is_refused(train, evaluate, tmp_path, capsys):
    folder, short = tmp_path / "td3", ("callbacks.test_max_episode_steps=5", "total_env_steps=60")
    assert train(*SMOKE, "experiment=paper/pendulum_pqc", "control=td3", *short, f"run_dir={folder}") == 0
    capsys.readouterr()
    assert evaluate(f"run={folder}", "ablation=frozen_policy", "episodes=5") == 2
    assert "MLPActor has no quantum layer" in capsys.readouterr().err
    assert evaluate(f"run={folder}", "episodes=1") == 0


def test_exact_readouts_are_left_out_for_an_engine_that_can_only_sample(opened, monkeypatch):
    agent, trained, _, conditions = opened
    executable = trained.block.executable
    monkeypatch.setattr(executable, "capabilities", replace(executable.capabilities, exact=False))
    with pytest.raises(UnfitConditionError, match="readout expectation needs exact values, which its engine does not"):
        conditions["exact"].make(agent, trained)
    conditions["shots_10"].make(agent, trained)


def test_replacements_are_what_they_say(opened):
    agent, trained, q_in, conditions = opened
    blocks = {name: conditions[name].make(agent, trained) for name in ("zeros", "random_bits", "surrogate", "shots_10")}
    assert isinstance(blocks["zeros"], Zeros)
    assert isinstance(blocks["random_bits"], RBG)
    assert not blocks["zeros"](q_in).any()
    generator = torch.Generator().manual_seed(0)
    assert set(blocks["random_bits"](q_in, generator).unique().tolist()) == {0.0, 1.0}
    tenths = blocks["shots_10"](q_in, generator) * 10
    torch.testing.assert_close(tenths, tenths.round())


def test_the_surrogate_is_the_one_of_the_checkpoint(opened, trained_run):
    agent, trained, q_in, conditions = opened
    weights = torch.load(trained_run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    block = conditions["surrogate"].make(agent, trained)
    assert torch.equal(block.estimator.net.layers[0].weight, weights["actor.layer.estimator.net.layers.0.weight"])
    assert torch.equal(block(q_in), agent.actor.layer.estimator.net(q_in).sigmoid())


def test_changed_settings_leave_the_agent_as_it_was(opened):
    agent, trained, _, conditions = opened
    before = OmegaConf.to_yaml(agent.cfg)
    for condition in conditions.values():
        assert condition.make(agent, trained) is not trained.block
    assert OmegaConf.to_yaml(agent.cfg) == before
    assert agent.actor.layer.block is trained.block


def test_a_stand_in_refuses_an_agent_that_it_does_not_fit(opened):
    agent, trained, _, conditions = opened
    with pytest.raises(UnfitConditionError, match="no surrogate"):
        conditions["surrogate"].make(agent, Trained(trained.block, Direct(), trained.q_out))


UNREADABLE = {
    "no conditions": ({}, "expected at least one condition by name"),
    "another key": ({"a": {"blok": {"shots": 3}}}, "expected a mapping with keys out of block, stand_in, uninformed"),
    "no mapping": ({"a": 3}, "expected a mapping with keys out of"),
    "nothing to change": ({"a": {"uninformed": True}}, "ablation.conditions.a has both of block and stand_in, or none"),
    "a number for a block": ({"a": {"block": 3}}, "expected mappings, and uninformed of true or false"),
    "no truth value": ({"a": {"block": {"shots": 3}, "uninformed": "maybe"}}, "uninformed of true or false"),
    "the run's own name": ({"own": {"block": {"shots": 3}}}, "ablation.conditions.own: this name is taken"),
}
UNMAKEABLE = {
    "no shots": ({"block": {"shots": 0}}, "block.shots=0 is not allowed: expected an integer of at least 1"),
    "a large error": ({"block": {"readout_error": 0.7}}, "block.readout_error=0.7 is not allowed: expected a number"),
    "another key": ({"block": {"shotss": 3}}, "the block has no key 'shotss': choices are circuit, engine, readout"),
    "no readout": ({"block": {"readout": "loud"}}, "PQC: readout is 'loud', expected one of"),
    "another circuit": ({"block": {"circuit": {"n_qubits": 3}}}, "PQC: the circuit has"),
    "no class": ({"block": {"_target_": "qtrl.nn.Noise"}}, "qtrl.nn.Noise cannot be made: "),
    "untrained weights": ({"block": {"_target_": "qtrl.nn.FC"}}, "FC has parameters that this run did not train"),
    "no stand-in": ({"stand_in": {"_target_": "qtrl.nn.Zeros"}}, "n_out"),
    "no block": ({"stand_in": {"_target_": "builtins.repr"}}, "made str, expected a block of 40 inputs and 5 outputs"),
    "no target": ({"stand_in": {"x": 1}}, ""),
}
MISTAKES = {
    "+ablation.conditions.a.block.shotss=3": "ablation.conditions.a: the block has no key 'shotss'",
    "ablation=null_policy": "frozen_policy",
    "episodes=4": "episodes=4 is not allowed: expected an integer of at least 5",
    "video=true": "video=true does not go with an ablation",
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_conditions_that_cannot_be_read_are_told(case):
    conditions, words = UNREADABLE[case]
    with pytest.raises(ConfigError, match="^ablation.conditions") as caught:
        read_conditions(OmegaConf.create({"conditions": conditions}))
    assert words in str(caught.value)


@pytest.mark.parametrize("case", UNMAKEABLE)
def test_conditions_that_cannot_be_made_are_told(case, opened):
    agent, trained, *_ = opened
    node, words = UNMAKEABLE[case]
    (condition,) = read_conditions(OmegaConf.create({"conditions": {"a": node}}))
    with pytest.raises(ConfigError, match="^ablation.conditions.a: ") as caught:
        condition.make(agent, trained)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("argument", MISTAKES)
def test_a_mistake_is_told_in_one_line_before_anything_is_played(argument, run, evaluate, capsys):
    choice = () if argument.startswith("ablation=") else ("ablation=frozen_policy",)
    capsys.readouterr()
    assert evaluate(f"run={run}", *choice, argument) == 2
    out, err = capsys.readouterr()
    assert MISTAKES[argument] in err
    assert (err.count("\n"), out) == (1, "")
    assert not list((run / "eval").glob("*"))


def test_a_test_says_what_made_it(run, evaluate):
    assert evaluate(f"run={run}", "episodes=1", "readout_error=0.25") == 0
    (path,) = (run / "eval").iterdir()
    result = json.loads(path.read_text())
    assert (result["readout_error"], result["readout"], result["shots"]) == (0.25, "mean", 100)
    assert (result["observation_size"], result["action_size"]) == (3, 1)
    assert {"gymnasium", "mujoco", "torch"} <= set(result["versions"])
    assert "git_commit" in result
