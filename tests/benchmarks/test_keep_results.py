"""What is kept of a study says nothing of the machine that made it."""

import json

import yaml
from keep_results import keep


def test_a_kept_run_has_no_path_of_the_machine_and_an_unfinished_one_is_left(tmp_path):
    for seed, status in enumerate(("complete", "stopped")):
        folder = tmp_path / "study" / "pqc" / f"seed{seed}"
        folder.mkdir(parents=True)
        places = f"run_dir: {folder}\nlogger: {{}}\npaths:\n  runs: {folder.parent}\nseed: {seed}\n"
        (folder / "config.yaml").write_text(f"label: pqc\n{places}")
        (folder / "metrics.csv").write_text("env_steps\n1\n")
        (folder / "summary.json").write_text(json.dumps({"status": status}))
    (kept,) = keep(tmp_path / "study", tmp_path / "results")
    text = (kept / "config.yaml").read_text()
    assert str(tmp_path) not in text
    assert yaml.safe_load(text) == {"label": "pqc", "logger": {}, "paths": {"runs": "runs"}, "seed": 0}
    assert (kept / "metrics.csv").read_text() == "env_steps\n1\n"
