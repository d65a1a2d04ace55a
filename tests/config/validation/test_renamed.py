from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from qtrl.config.instantiate import build
from qtrl.config.saved import load_config
from qtrl.config.validation.renamed import RENAMED, refuse_renamed
from qtrl.errors import ConfigError

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "pendulum"
OLD = {
    "surrogate=qtdnn": "unknown key 'surrogate': it is gradient now",
    "+surrogate.hidden=8": "unknown key 'surrogate.hidden': it is gradient.hidden now",
    "~algo.hidden": "unknown key 'algo.hidden': it is actor.hidden and critic.hidden now",
    "++block.angle_scale=2": "unknown key 'block.angle_scale': it is actor.angle_scale now",
}


@pytest.mark.parametrize("override", OLD)
def test_an_old_name_is_refused_with_the_new_one(override):
    with pytest.raises(ConfigError) as caught:
        refuse_renamed(["experiment=pendulum_pqc", override], "train")
    assert str(caught.value) == OLD[override]


def test_names_that_only_look_alike_are_left_alone():
    refuse_renamed(
        ["block.surrogate=true", "algo.surrogate_optimizer.lr=1", "space=surrogate", "actor.hidden=3", "study=x"],
        "train",
    )


def test_the_command_says_it_in_one_line(train, capsys):
    assert train("experiment=pendulum_pqc", "debug=smoke", "surrogate=exact") == 2
    assert capsys.readouterr().err == "qtrl: unknown key 'surrogate': it is gradient now\n"


def test_the_new_names_are_keys(compose):
    cfg = compose("experiment=pendulum_pqc")
    for old, new in RENAMED.items():
        assert OmegaConf.select(cfg, old) is None
        assert all(OmegaConf.select(cfg, name) is not None for name in new)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("data/*/seed0/config.yaml")), ids=lambda path: path.parts[-3])
def test_kept_runs_of_older_versions_still_load(path):
    cfg = load_config(path.parent)
    assert cfg.env.id == "Pendulum-v1" and cfg.gradient._target_.startswith("qtrl.nn.")
    assert build(cfg.critic)(3, 1).norm(torch.ones(3)).tolist() == [1, 1, 1]  # observations are not normalized
