import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from qtrl.envs import write_video
from qtrl.loggers import WandbRun
from qtrl.loggers.artifacts import log_report, log_video
from qtrl.loggers.wandb import teardown

WRITTEN = ("report.html", "table.csv", "curves.png", "gap.png")


def make_run(folder, **options):
    return WandbRun(folder, project="qtrl-test", run_name="a run", **options)


@pytest.fixture
def video(tmp_path):
    (tmp_path / "videos").mkdir()
    return write_video(tmp_path / "videos" / "episode.mp4", [np.zeros((32, 32, 3), np.uint8)] * 5, 30)


@pytest.fixture
def report(tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    for name in (*WRITTEN, "older.png"):
        (folder / name).write_text(f"<p>{name}")
    return folder


def files_of(report):
    return [report / name for name in WRITTEN]


@pytest.fixture
def real_client(service_ends):
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # the client's own deprecations
        warnings.filterwarnings("error", message="W&B failed")
        yield


def media(folder, pattern):
    (path,) = folder.glob(f"wandb/offline-run-*/files/media/{pattern}")
    return path.read_bytes()


def records(folder):
    teardown()  # the service may still be writing
    return b"".join(path.read_bytes() for path in folder.glob("wandb/offline-run-*/run-*.wandb"))


def test_a_video_goes_to_the_run_that_was_trained_offline_as_well(tmp_path, video, real_client):
    training = make_run(tmp_path, offline=True)
    training.log_metrics({"env_steps": 1})
    training.finalize("success")
    where = log_video(make_run(tmp_path, offline=True), video, env_steps=400)
    assert where == f"offline; send it with: wandb sync {tmp_path}/wandb/offline-run-*"
    assert len(list(tmp_path.glob(f"wandb/offline-run-*/run-{training.version}.wandb"))) == 2
    assert media(tmp_path, "videos/test/*.mp4") == video.read_bytes()
    assert f"video-{training.version}".encode() in records(tmp_path)


def test_a_report_goes_to_a_run_of_its_own_which_the_next_report_goes_on_with(report, real_client):
    ids = set()
    for _ in range(2):
        run = make_run(report, offline=True, job_type="report")
        assert "wandb sync" in log_report(run, files_of(report))
        ids.add(run.version)
    (run_id,) = ids
    pages = list(report.glob("wandb/offline-run-*/files/media/html/*.html"))
    assert {page.read_bytes() for page in pages} == {(report / "report.html").read_bytes()}
    kept = records(report)
    for name in (f"report-{run_id}", "table.csv", "curves.png", "gap.png"):
        assert name.encode() in kept
    assert b"older.png" not in kept


class Session:
    """Stands in for a run of the client."""

    id, offline, url, dir = "abc", False, "https://wandb.example/me/p/runs/abc", "/x/wandb/run-abc/files"

    def __init__(self):
        self.rows, self.artifacts = [], []

    def define_metric(self, *args, **kwargs):
        pass

    def log(self, row):
        self.rows.append(row)

    def log_artifact(self, artifact):
        self.artifacts.append(artifact)

    def finish(self, exit_code):
        self.exit_code = exit_code


class Artifact:
    def __init__(self, name, *, type, metadata):
        self.about, self.files = (name, type, metadata), []

    def add_file(self, path):
        self.files.append(Path(path).name)


@pytest.fixture
def session(monkeypatch):
    session = Session()
    session.inits = []
    client = SimpleNamespace(
        init=lambda **options: session.inits.append(options) or session,
        Settings=SimpleNamespace,
        Artifact=Artifact,
        Video=lambda path, format: ("video", path, format),
        Html=lambda path, inject: ("html", path, inject),
        teardown=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "wandb", client)
    return session


def test_a_video_is_a_panel_over_env_steps_and_an_artifact(tmp_path, video, session):
    assert log_video(make_run(tmp_path), video, env_steps=400) == session.url
    assert session.rows == [{"env_steps": 400, "test/video": ("video", str(video), "mp4")}]
    (artifact,) = session.artifacts
    assert (artifact.about, artifact.files) == (("video-abc", "video", {"env_steps": 400}), ["episode.mp4"])
    assert session.exit_code == 0


def test_a_report_is_a_page_and_an_artifact_with_its_table_and_pictures(report, session):
    assert log_report(make_run(report, job_type="report", group="study"), files_of(report)) == session.url
    assert session.rows == [{"report": ("html", report / "report.html", False)}]
    (artifact,) = session.artifacts
    assert artifact.about == ("report-abc", "report", {})
    assert artifact.files == list(WRITTEN)
    assert (session.inits[0]["job_type"], session.inits[0]["group"]) == ("report", "study")


def test_files_have_longer_to_be_sent_than_the_rows_of_a_training(tmp_path, video, session):
    log_video(make_run(tmp_path), video, env_steps=1)
    training = make_run(tmp_path)
    training.log_metrics({"env_steps": 1})
    training.finalize("success")
    seconds = [options["settings"].finish_timeout for options in session.inits]
    assert seconds == [120, 15]


@pytest.mark.parametrize("broken", ["log", "log_artifact", "finish"])
def test_a_client_that_fails_warns_and_never_raises(tmp_path, video, session, broken):
    def fail(*args, **kwargs):
        raise OSError("the service died")

    setattr(session, broken, fail)
    with pytest.warns(UserWarning, match=r"W&B failed \(the service died\); all goes on without it, .* has everything"):
        assert log_video(make_run(tmp_path), video, env_steps=1) == ""
    assert video.is_file()
