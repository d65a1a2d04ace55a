import pytest

from qtrl.callbacks.results import ProbeHistory


def history(*probes, layer="layer", total=100):
    """A history of `probes`: env steps, explained share, cosine."""
    made = ProbeHistory(total)
    for env_steps, share, cosine in probes:
        found = {"explained_share": share, "angle_gradient_cosine": cosine, "bce": 0.7}
        made.add(env_steps, layer, {metric: value for metric, value in found.items() if value is not None})
    return made


def test_the_first_tenth_of_a_run_does_not_count():
    made = history((9, 1.0, 1.0), (10, 0.2, 0.4), (50, 0.4, 0.8), (100, 0.6, None))
    assert made.means() == {"layer": pytest.approx({"explained_share": 0.4, "angle_gradient_cosine": 0.6})}


@pytest.mark.parametrize(
    ("share", "heard"),
    [
        (1.0, "heard"),
        (0.3, "heard"),
        (0.29, "hardly heard"),
        (0.05, "hardly heard"),
        (0.04, "not heard"),
        (-2, "not heard"),
    ],
)
def test_the_share_decides_whether_a_layer_was_heard(share, heard):
    (line,) = history((100, share, 1.0)).lines()
    assert line.startswith(f"quantum layer {heard}: its outputs explain {share:.2f} ")


@pytest.mark.parametrize(
    ("cosine", "direction"),
    [
        (1.0, "pointed the right way"),
        (0.6, "pointed the right way"),
        (0.59, "pointed roughly the right way"),
        (0.2, "pointed roughly the right way"),
        (0.19, "was noise"),
        (-0.5, "was noise"),
    ],
)
def test_the_cosine_decides_whether_a_gradient_pointed_the_right_way(cosine, direction):
    (line,) = history((100, 1.0, cosine)).lines()
    assert line.endswith(f"; its gradient {direction}: cosine {cosine:.2f} with the exact one")


def test_what_no_probe_could_measure_is_said_as_such():
    made = history((100, None, None))
    assert made.means() == {"layer": {"explained_share": None, "angle_gradient_cosine": None}}
    (line,) = made.lines()
    assert "not measured" in line and "no gradient" in line


def test_several_layers_have_a_line_each_with_their_names():
    made = history((100, 1.0, 1.0), layer="first")
    made.add(100, "body.second", {"explained_share": 0.0})
    first, second = made.lines()
    assert first.startswith("quantum layer first heard")
    assert second.startswith("quantum layer body.second not heard")


def test_without_a_probe_there_is_nothing_to_say():
    assert (history().means(), history().lines()) == ({}, [])


def test_a_history_goes_on_where_it_was_in_a_longer_run_too():
    before, after = history((10, 1.0, 1.0), (90, 0.2, 0.2)), ProbeHistory(200)
    after.load_state_dict(before.state_dict())
    assert after.state_dict() == before.state_dict()
    assert after.means() == {"layer": {"explained_share": 0.2, "angle_gradient_cosine": 0.2}}  # 10 is below a tenth now
    after.add(190, "layer", {"explained_share": 0.4})
    assert after.means()["layer"]["explained_share"] == pytest.approx(0.3)
    assert before.means()["layer"]["explained_share"] == pytest.approx(0.6)
