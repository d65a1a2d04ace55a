import pytest

from qtrl.errors import ConfigError
from qtrl.run.resolve import resolve

ZEROS = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv")


@pytest.mark.parametrize("word", ["yes", "maybe", "3", "null"])
def test_another_word_for_resume_is_refused(word, compose, tmp_path):
    with pytest.raises(ConfigError, match="resume=.* is unknown: choices are false, true, auto"):
        resolve(compose(*ZEROS, f"run_dir={tmp_path}", f"resume={word}"))


def test_a_number_names_a_folder(compose, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg, text = resolve(compose(*ZEROS, "run_dir=2026"))
    assert cfg.run_dir == str(tmp_path / "2026")
    assert f"run_dir: {cfg.run_dir}\n" in text
    cfg, _ = resolve(compose(*ZEROS, "paths.runs=7"))
    assert cfg.run_dir.startswith(str(tmp_path / "7" / "pendulum_zeros-s0-"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("~callbacks.test_episodes", "KeyError: 'test_episodes'"),
        ("~data.capacity", "KeyError: 'capacity'"),
        ("ckpt_path=3", "no checkpoint at 3"),
    ],
)
def test_what_no_run_can_be_made_with_is_told_in_one_line(wrong, said, train, tmp_path, capsys):
    assert train(*ZEROS, f"run_dir={tmp_path / 'run'}", wrong) == 2
    err = capsys.readouterr().err
    assert (err.startswith("qtrl: "), err.count("\n")) == (True, 1)
    assert said in err
    assert not (tmp_path / "run").exists()
