import pytest

from qtrl.commands.tuning.space import as_overrides, check_keys, corners, distributions, read_space
from qtrl.errors import ConfigError

LR = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}
COUNT = {"type": "int", "low": 1, "high": 4}
BLOCK = {"type": "categorical", "choices": ["pqc", "fc", "rbg"]}


def test_an_entry_may_be_nested_as_the_config_is_or_have_a_dotted_key():
    nested = {"algo": {"actor_optimizer": {"lr": LR}, "empty": {}}, "block": BLOCK}
    dotted = {"algo.actor_optimizer.lr": LR, "block": BLOCK}
    assert read_space(nested) == read_space(dotted) == dotted


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (None, "space is empty"),
        ({"algo": {}}, "space is empty"),
        ({"algo": {"tau": 3}}, "space.algo.tau=3 is not allowed: expected {type"),
        ({"tau": {"type": ["float"]}}, "space.tau.type=['float'] is unknown"),
        ({"tau": {"type": "flaot"}}, "space.tau.type='flaot' is unknown: choices are float, int, categorical"),
        ({"tau": LR | {"steps": 1}}, "unexpected keyword argument 'steps'"),
        ({"tau": {"type": "int", "low": 1}}, "'high'"),
        ({"tau": {"type": "categorical"}}, "'choices'"),
        ({"tau": LR | {"low": "a"}}, "space.tau.low=a is not allowed: expected a number"),
        ({"tau": COUNT | {"high": 1.5}}, "space.tau.high=1.5 is not allowed: expected an integer"),
        ({"tau": LR | {"high": float("inf")}}, "space.tau.high=inf is not allowed"),
        ({"tau": LR | {"low": float("nan")}}, "space.tau.low=nan is not allowed"),
        ({"tau": LR | {"low": 1}}, "low <= high"),
        ({"tau": LR | {"low": 0}}, "log=True"),
        ({"tau": LR | {"log": 1}}, "space.tau.log=1 is not allowed: expected true or false"),
        ({"tau": BLOCK | {"choices": "pqc"}}, "space.tau.choices='pqc' is not allowed: expected two or more"),
        ({"tau": BLOCK | {"choices": ["pqc"]}}, "expected two or more"),
        ({"tau": BLOCK | {"choices": ["pqc", "pqc"]}}, "expected two or more"),
        ({"tau": BLOCK | {"choices": [[1], [2]]}}, "expected two or more"),
    ],
)
def test_a_malformed_entry_is_told_in_one_line(node, said):
    with pytest.raises(ConfigError) as told:
        read_space(node)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("algo.gama", "space.algo.gama: the config has no key 'algo.gama'; did you mean algo.gamma?"),
        ("blok", "did you mean block?"),
        ("xyz", "--cfg job"),
        ("run_dir", "space.run_dir is not allowed: a search sets run_dir itself"),
    ],
)
def test_a_key_that_the_config_does_not_have_is_named_with_the_one_that_was_meant(key, said):
    with pytest.raises(ConfigError) as told:
        check_keys({key: LR}, ["algo.gamma", "algo.tau", "run_dir"], ["block"], ["run_dir"])
    assert said in str(told.value)


def test_each_limit_and_each_choice_is_in_a_corner():
    space = read_space({"lr": LR, "n": COUNT, "block": BLOCK})
    assert corners(space) == [
        {"lr": 1e-4, "n": 1, "block": "pqc"},
        {"lr": 1e-2, "n": 4, "block": "fc"},
        {"lr": 1e-2, "n": 4, "block": "rbg"},
    ]


def test_a_space_is_one_of_optuna():
    found = distributions(read_space({"lr": LR, "n": COUNT, "block": BLOCK}))
    assert (found["lr"].low, found["lr"].high, found["lr"].log) == (1e-4, 1e-2, True)
    assert (found["n"].low, found["n"].high, found["n"].log) == (1, 4, False)
    assert found["block"].choices == ("pqc", "fc", "rbg")


@pytest.mark.parametrize(
    "value",
    [0.1, 1e-05, 3, True, None, "fc", "a b", "it's", "a\\", "a\\'b", "ü", "null", "True", "1e3", "a,b", "[x]", ""],
)
def test_a_value_comes_back_from_the_command_line_as_it_was(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides(as_overrides({"algo.key": value}))
    assert override.key_or_group == "algo.key"
    found = override.value()
    assert (found, type(found)) == (value, type(value))
