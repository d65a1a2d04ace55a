import pytest
from algos.test_td3 import Batches, changed, fit, make_module, make_rows
from lightning.pytorch import Callback

from qtrl.algos.decay import Decay
from qtrl.errors import ConfigError
from qtrl.specs import Batch

STEPS = 8


@pytest.mark.parametrize(
    ("shape", "expected"), [("linear", (1.0, 0.8, 0.6, 0.2, 0.2)), ("cosine", (1.0, 0.8828427, 0.6, 0.2, 0.2))]
)
def test_factors_by_hand(shape, expected):
    found = [Decay(shape, 0.2, ()).factor(progress) for progress in (0.0, 0.25, 0.5, 1.0, 1.25)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "what"), [(("steps", 0.1), "lr_decay is 'steps'"), (("linear", 1.1), "lr_final")]
)
def test_words_and_numbers_out_of_range_are_refused(arguments, what):
    with pytest.raises(ConfigError, match=what):
        Decay(*arguments, ())


def make_stream(upto=None):
    rows = [make_rows(i) for i in range(STEPS)]
    return Batches([Batch(one, env_steps=i, progress=i / STEPS) for i, one in enumerate(rows)][:upto])


class Rates(Callback):
    def __init__(self):
        self.rows = []

    def on_train_batch_end(self, trainer, pl_module, *args):
        names = ("critic", "actor", "surrogate")
        self.rows.append([pl_module.mechanics.optimizer(name).param_groups[0]["lr"] for name in names])


def make_decaying(seed=0):
    return make_module(seed=seed, more={"lr_decay": "linear", "lr_final": 0.0})


def test_rates_of_critics_and_actor_fall_and_that_of_the_qtdnn_stays():
    rates = Rates()
    fit(make_decaying(), make_stream(), rates)
    for step, row in enumerate(rates.rows):
        expected = 0.05 * (1 - step / STEPS)
        assert row == pytest.approx([expected, expected, 0.05])


def test_a_run_goes_on_with_the_rates_that_it_had(tmp_path):
    whole, parts = Rates(), Rates()
    one = make_decaying()
    fit(one, make_stream(), whole)
    fit(make_decaying(), make_stream(upto=3), parts).save_checkpoint(tmp_path / "a.ckpt")
    other = make_decaying(seed=9)
    fit(other, make_stream(), parts, ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert parts.rows == whole.rows
    assert changed(one.state_dict(), other.state_dict()) == set()


def test_a_run_that_goes_on_without_decay_has_the_rates_of_its_beginning(tmp_path):
    rates = Rates()
    fit(make_decaying(), make_stream(upto=3)).save_checkpoint(tmp_path / "a.ckpt")
    fit(make_module(), make_stream(), rates, ckpt_path=tmp_path / "a.ckpt", weights_only=True)
    assert rates.rows and all(row == pytest.approx([0.05] * 3) for row in rates.rows)


def test_graphs_are_refused_since_they_keep_their_rates():
    with pytest.raises(ConfigError, match=r"algo\.cuda_graphs=true records learning rates as they are"):
        make_module(more={"lr_decay": "cosine", "cuda_graphs": True})


def test_without_decay_rates_are_not_touched():
    rates, module = Rates(), make_module()
    fit(module, make_stream(), rates)
    assert all(row == [0.05] * 3 for row in rates.rows)
    assert "initial_lr" not in module.mechanics.optimizer("critic").param_groups[0]
