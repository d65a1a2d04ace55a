import pytest
import yaml


def the_line(err):
    """The one line that the command left on stderr."""
    (line,) = err.strip().splitlines()
    assert line.startswith("qtrl: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["which run?"]),
        (("run=/nowhere",), ["/nowhere is not a run folder"]),
        (("run=/nowhere", "checkpoint=worst"), ["worst", "last, best"]),
        (("run=/nowhere", "episodes=0"), ["episodes=0", "at least 1"]),
        (("run=/nowhere", "shots=0"), ["shots=0", "at least 1"]),
        (("run=/nowhere", "seed=-1"), ["seed=-1"]),
        (("run=/nowhere", "readout_error=0.6"), ["readout_error=0.6", "at most 0.5"]),
        (("run=/nowhere", "readout_error=-0.1"), ["readout_error=-0.1", "at least 0"]),
        (("run=/nowhere", "readout_error=some"), ["readout_error=some", "a number"]),
        (("run=/nowhere", "engine=qpu"), ["qpu", "reference", "statevector", "torchquantum", "auto"]),
        (("run=/nowhere", "video=maybe"), ["video=maybe is unknown: choices are false, true"]),
        (("run=/nowhere", "log=1"), ["log=1 is unknown: choices are false, true"]),
        (("run=/nowhere", "episode=3"), ["episode", "did you mean episodes?"]),
    ],
)
def test_mistakes_of_an_evaluation(evaluate, capsys, arguments, words):
    assert evaluate(*arguments) == 2
    line = the_line(capsys.readouterr().err)
    assert all(word in line for word in words), line


def test_a_run_without_checkpoint_is_told(evaluate, capsys, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"env": {"id": "Pendulum-v1"}}))
    assert evaluate(f"run={tmp_path}") == 2
    assert f"no checkpoint at {tmp_path}/checkpoints/last.ckpt" in the_line(capsys.readouterr().err)
