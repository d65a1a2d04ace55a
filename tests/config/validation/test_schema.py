from pathlib import Path

import pytest
import yaml

from qtrl.config.location import config_dir
from qtrl.config.validation.schema import check_keys
from qtrl.errors import ConfigError

ZEROS = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv")
WITHOUT_EFFECT = {
    "+env.frame_skip=4": "unknown key 'env.frame_skip': choices are id, kwargs, levels, max_",
    "++env.idd=Pendulum-v1": "unknown key 'env.idd': did you mean id?",
    "+algo.n_step=3": "unknown key 'algo.n_step'",
    "+algo.policy_delays=3": "did you mean policy_delay?",
    "+algo.actor_optimizer.lrs=1": "unknown key 'algo.actor_optimizer.lrs': did you mean lr?",
    "+data.prioritized=true": "unknown key 'data.prioritized'",
    "+data.sampler.alpha=0.5": "unknown key 'data.sampler.alpha'",
    "+callbacks.test_episode=3": "did you mean test_episodes?",
    "+circuit.nqubits=3": "did you mean n_qubits?",
    "+exploration.theta=0.1": "unknown key 'exploration.theta': choices are angle_noise, noise",
    "+actor.width=3": "unknown key 'actor.width'",
    "+critic.quantiles=3": "unknown key 'critic.quantiles'",
    "+block.n_in=3": "unknown key 'block.n_in': choices are surrogate",
    "+actor.observation_size=3": "unknown key 'actor.observation_size': choices are angle_bound",
    "+algo.critic_optimizer.params=3": "unknown key 'algo.critic_optimizer.params': choices are betas",
    "+logger.project=mine": "unknown key 'logger.project'",
    "+paths.data=x": "unknown key 'paths.data': choices are runs",
}


@pytest.mark.parametrize("override", WITHOUT_EFFECT)
def test_a_key_that_nothing_reads_is_refused_with_the_nearest(override, compose):
    with pytest.raises(ConfigError) as caught:
        check_keys(compose(*ZEROS, override))
    assert WITHOUT_EFFECT[override] in str(caught.value)


@pytest.mark.parametrize("override", ["+algo.actor_optimizer.eps=1e-7", "+algo.actor_optimizer.weight_decay=0.1"])
def test_an_argument_without_a_key_in_the_files_is_taken(override, compose):
    check_keys(compose(*ZEROS, override))


def test_every_member_of_every_group_has_keys_that_are_read(compose):
    groups = ("actor", "block", "circuit", "control", "critic", "data/sampler", "data/transform", "engine", "env")
    groups += ("exploration", "gradient", "logger", "recipe", "trainer")
    members = {group: sorted(path.stem for path in Path(config_dir(), group).glob("*.yaml")) for group in groups}
    for turn in range(max(map(len, members.values()))):
        chosen = [f"{group}={names[turn % len(names)]}" for group, names in members.items()]
        check_keys(compose(*ZEROS[:2], *chosen))


def test_members_of_folders_of_the_users_own_have_keys_of_their_own_and_an_empty_mapping_is_free(tmp_path, monkeypatch):
    from omegaconf import OmegaConf

    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "robot.yaml").write_text("id: Robot-v0\noptions: {}\nlimits:\n  speed: 1\n")
    monkeypatch.setattr("qtrl.config.validation.schema._folders", lambda: (config_dir(), str(tmp_path)))
    node = {"id": "Robot-v0", "options": {"anything": {"deep": 1}}, "limits": {"speed": 2}}
    check_keys(OmegaConf.create({"env": node}))
    node["limits"]["spede"] = 1
    with pytest.raises(ConfigError, match=r"unknown key 'env\.limits\.spede': did you mean speed\?"):
        check_keys(OmegaConf.create({"env": node}))


def test_a_key_that_a_saved_config_has_is_not_looked_at(compose):
    cfg = compose(*ZEROS, "+env.frame_skip=4")
    check_keys(cfg, known={"env": {"frame_skip": 2}})


def test_td3_hands_on_only_what_its_file_has_keys_of():
    from dataclasses import fields

    from qtrl.algos.settings import TD3Settings

    node = yaml.safe_load(Path(config_dir(), "algo", "td3.yaml").read_text())
    assert {field.name for field in fields(TD3Settings)} <= set(node)
