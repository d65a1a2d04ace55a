import pytest

from qtrl.errors import ConfigError
from qtrl.specs import EnvSpec


@pytest.mark.parametrize(("sizes", "name"), [((0, 1), "observation_size is 0"), ((1, -2), "action_size is -2")])
def test_sizes_below_one_are_refused(sizes, name):
    with pytest.raises(ConfigError, match=f"toy: {name}, expected at least 1"):
        EnvSpec("toy", *sizes)
