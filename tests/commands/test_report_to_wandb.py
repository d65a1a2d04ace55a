import pytest

LOGGER = {
    "_target_": "qtrl.loggers.WandbRun",
    "_partial_": True,
    "project": "atlas",
    "entity": None,
    "group": "study",
    "offline": True,
}


@pytest.fixture
def sent(monkeypatch):
    calls = []
    log_report = lambda run, files: calls.append((run._init, files)) or "https://x"  # noqa: E731
    monkeypatch.setattr("qtrl.commands.report.log_report", log_report)
    return calls


def test_a_report_is_sent_where_its_runs_went_once_it_is_written(
    report, configs, make_run, tmp_path, one_figure, sent, capsys
):
    make_run(tmp_path / "runs" / "seed0", configs["fc"] | {"logger": LOGGER}, 0)
    assert report(f"runs={tmp_path / 'runs'}", f"out={tmp_path / 'out'}", "reference=fc", "log=true") == 0
    ((about, files),) = sent
    assert (about["project"], about["group"], about["job_type"]) == ("atlas", "study", "report")
    assert files[0].name == "report.html" and set(files) == set((tmp_path / "out").iterdir())
    assert capsys.readouterr().out.endswith("qtrl: W&B: https://x\n")


def test_runs_without_wandb_are_told_before_anything_is_written(report, study_dir, tmp_path, sent, capsys):
    assert report(f"runs={study_dir}", f"out={tmp_path / 'out'}", "log=true") == 2
    assert "was run without it" in capsys.readouterr().err
    assert not sent and not (tmp_path / "out").exists()
