import csv

import pytest
import yaml

FIGURES = {
    f"{name}.png" for name in ("learning_curves", "figure4", "info", "quantum_layer", "returns", "gap", "improvement")
}


@pytest.fixture
def line(report, capsys):
    """The single line of an error."""

    def line(*arguments):
        assert report(*arguments) == 2
        told = capsys.readouterr()
        assert told.err.startswith("qtrl: ") and told.err.count("\n") == 1, told.err
        return told.err

    return line


def test_the_report_is_written_and_told(written):
    out, told = written
    assert {path.name for path in out.iterdir()} == {"report.html", "table.csv", "levels.csv"} | FIGURES
    assert all(str(path) in told for path in out.iterdir())
    assert "not distinguishable" in told
    assert all(told.count(f"{name}: ") == 1 for name in ("stopped", "cut", "hostile"))


def test_the_table_has_a_row_for_each_block_from_its_name_on(written):
    with (written[0] / "table.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:3] == ["block", "n", "iqm"]
    assert [row[:2] for row in rows] == [[block, "3"] for block in ("pqc", "fc", "zeros", "shuffled")]


def test_the_same_runs_give_the_same_bytes(report, make_run, configs, tmp_path, coarse):
    runs = make_run(tmp_path / "runs" / "seed0", configs["pqc"], 0).parent
    out = runs / "report"  # the default
    written = []
    for _ in range(2):
        assert report(f"runs={runs}") == 0
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]
    assert "improvement.png" not in written[0]  # one block is compared with nothing


def test_several_folders_are_put_together(report, study_dir, tmp_path, one_figure):
    arguments = (f"runs=[{study_dir / 'fc'},{study_dir / 'zeros'}]", f"out={tmp_path}", "reference=zeros", "title=Two")
    assert report(*arguments) == 0
    page = (tmp_path / "report.html").read_text()
    assert "<title>Two</title>" in page
    assert "python -m qtrl.report" in page and "reference=zeros" in page


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "which runs?"),
        (("runs=[]",), "which runs?"),
        (("runs={STUDY}/absent",), "there is no folder"),
        (("runs={STUDY}", "reference=nobody"), "no run of reference=nobody"),
        (("runs={STUDY}", "reference=null"), "reference=None is not allowed"),
        (("runs={STUDY}", "primary=pqc"), "primary=pqc is not allowed"),
        (("runs={STUDY}", "title=[1]"), "is not allowed"),
        (("runs={STUDY}", "out=[1]"), "is not allowed"),
        (("runs={STUDY}", "log=maybe"), "log=maybe is unknown: choices are false, true"),
        (("runs={STUDY}", "out={STUDY}/pqc/seed0/config.yaml"), "cannot be written"),
        (("runs={STUDY}", "referense=fc"), "referense"),
        (("runs={STUDY}/pqc/stopped",), "no complete run found"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, expected, line, study_dir):
    assert expected in line(*(argument.replace("{STUDY}", str(study_dir)) for argument in arguments))


def test_a_link_in_the_place_of_the_report_is_not_followed(line, study_dir, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "seed0").symlink_to(study_dir / "pqc" / "seed0")
    (runs / "report").symlink_to(tmp_path)
    assert "is a link" in line(f"runs={runs}")


def test_runs_of_another_env_are_refused_by_name(line, study_dir, configs, tmp_path, make_run):
    path = make_run(tmp_path / "other", configs["fc"], 0, env_id="Pendulum-v0")
    told = line(f"runs=[{study_dir / 'pqc'},{path}]")
    assert "env_id" in told and str(path) in told


def test_a_config_that_names_what_it_may_not_is_left_out(
    report, study_dir, configs, tmp_path, make_run, one_figure, capsys
):
    path = make_run(tmp_path / "evil", configs["fc"], 0)
    config = configs["fc"] | {"env": configs["fc"]["env"] | {"_target_": "os.system"}}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    assert report(f"runs=[{study_dir / 'pqc'},{path}]", f"out={tmp_path}") == 0
    assert f"left out {path}: " in capsys.readouterr().out
    assert "os.system" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("levels", ["5000", "[5000,1000]", "[many]", "[true]"])
def test_levels_that_are_none_are_refused(line, study_dir, levels):
    assert "levels=" in (told := line(f"runs={study_dir}", f"levels={levels}")) and "rising order" in told


def test_levels_of_the_runs_are_told_and_can_be_others(written, report, study_dir, tmp_path, capsys, one_figure):
    assert "| block    | level | reached |" in written[1]
    assert "a mean return of \N{MINUS SIGN}500" in (written[0] / "report.html").read_text()
    assert report(f"runs={study_dir}", f"out={tmp_path}", "levels=[0]") == 0
    assert "reached" not in capsys.readouterr().out
    assert not (tmp_path / "levels.csv").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_models_of_a_table_are_compared(train, report, tmp_path, capsys):
    small = ("dataset.rows=200", "circuit.n_qubits=2", "circuit.reps=1", "shots=20", "gradient.hidden=8", "epochs=2")
    for block in ("pqc", "fc"):
        for seed in (0, 1):
            own = (f"block={block}", f"seed={seed}", f"run_dir={tmp_path / f'{block}{seed}'}")
            assert train("experiment=hdqnn_moons", "logger=csv", *small, *own) == 0
    capsys.readouterr()
    assert report(f"runs={tmp_path}", f"out={tmp_path / 'out'}") == 0
    told = capsys.readouterr().out
    assert (
        "not distinguishable at n=2" in told and "left out" not in told and "warning" not in told.replace("dirty", "")
    )
    pictures = {f"{name}.png" for name in ("scores", "improvement", "learning_curves", "examples")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "table.csv"} | pictures
