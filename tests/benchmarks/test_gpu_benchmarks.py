"""The benchmarks of GPUs, dry: on the CPU, and small."""

import json
import shutil
import sys
from pathlib import Path

import gpu
import gpu_circuits
import gpu_pages
import gpu_training
import gpu_updates
import pytest
from gpu_store import Store
from libraries.torchquantum import torchquantum

from qtrl.quantum import efficient_su2

PAGES = Path(__file__).parents[2] / "docs" / "benchmarks"


def test_what_was_measured_is_kept_and_not_measured_again(tmp_path):
    for value in (1.0, 2.0):
        store = Store(tmp_path / "part.json", "cpu")
        store.add("good", lambda value=value: {"rate": value})
        store.add("bad", lambda value=value: [value][1])
    results = json.loads((tmp_path / "part.json").read_text())["results"]
    assert results["good"]["value"] == {"rate": 1.0} and results["bad"]["error"].startswith("IndexError")


def test_circuits_are_checked_before_they_are_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_circuits, "efficient_su2", lambda n_qubits, reps: efficient_su2(2, 1))
    store = Store(tmp_path / "circuits.json", "cpu")
    gpu_circuits.measure(store, "statevector", [2], "cpu", 1e-3)
    results = store.record["results"]
    assert results["statevector error"]["value"] < 1e-4
    assert results["statevector gradient 2"]["value"]["microseconds_per_sample"] > 0
    monkeypatch.setattr(gpu_circuits, "TOLERANCE", -1.0)
    wrong = Store(tmp_path / "wrong.json", "cpu")
    gpu_circuits.measure(wrong, "statevector", [2], "cpu", 1e-3)
    (result,) = wrong.record["results"].values()
    assert result["error"].startswith("ArithmeticError: off by")


def test_a_run_is_summed_up_by_its_last_row(tmp_path):
    names = ["env_steps", "updates", "time/total", "train/return", "test/return_mean"]
    names += [
        "time/env_steps_per_second",
        "time/updates_per_second",
        *(f"time/{name}" for name in gpu_training.SECTIONS),
    ]
    rows = [dict.fromkeys(names, str(number)) for number in (1, 2, 4)]
    facts = gpu_training.facts([*rows[:2], rows[2] | {"train/return": ""}])
    assert facts["env_steps"] == 4 and facts["highest train/return"] == 2 and facts["share env"] == 1
    assert facts["time/env_steps_per_second"] == 4


def test_the_page_is_what_its_record_makes(tmp_path, monkeypatch):
    for name in ("gpu.md", "gpu.json"):
        shutil.copy(PAGES / name, tmp_path)
    monkeypatch.setattr(sys, "argv", ["gpu_pages.py", str(tmp_path / "nothing"), "--out", str(tmp_path)])
    gpu_pages.main()
    assert (tmp_path / "gpu.md").read_text() == (PAGES / "gpu.md").read_text()
    assert (tmp_path / "gpu.png").stat().st_size > 10_000


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_all_parts_take_less_than_nine_minutes(device):
    parts = gpu.parts(device, quick=False)
    assert sum(limit for name, (limit, _) in parts.items() if name not in gpu.EXTRA) < 540


def called(module, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, arguments)])
    module.main()


def test_the_dry_form_of_every_part_writes_what_pages_are_made_of(tmp_path, monkeypatch):
    common = ("--device", "cpu", "--out", tmp_path)
    monkeypatch.setattr(gpu_circuits, "efficient_su2", lambda n_qubits, reps: efficient_su2(2, 1))
    for name in ("SKIPPED", "PROFILED"):
        monkeypatch.setattr(gpu_updates, name, 2)
    monkeypatch.setattr(gpu_updates, "PROFILED_BATCH", 4)
    monkeypatch.setitem(gpu_circuits.PEERS, "peer", torchquantum)
    monkeypatch.setattr(gpu_training, "train", lambda overrides, *_: {"env_steps": len(overrides)})
    few, peers = ("--seconds", 1e-3), ("--peers", "peer", "none")
    called(gpu_circuits, monkeypatch, *common, *few, *peers, "--engines", "statevector", "--batches", 1)
    called(gpu_updates, monkeypatch, *common, *few, "--blocks", "fc", "--batch-sizes", 4, "--modes", "eager")
    called(gpu_training, monkeypatch, *common)
    records = {
        name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("circuits", "updates", "training")
    }
    for record in records.values():
        assert record["results"] and all("value" in result for result in record["results"].values()), record
    assert records["updates"]["results"]["fc 4 eager"]["value"]["updates_per_second"] > 0
    assert set(records["circuits"]["left_out"]) == {"none"}
    assert records["circuits"]["results"]["peer gradient 1"]["value"]["microseconds_per_sample"] > 0
    shutil.copy(PAGES / "gpu.md", tmp_path)
    called(gpu_pages, monkeypatch, tmp_path, "--out", tmp_path)
    page = (tmp_path / "gpu.md").read_text()
    assert "dry run on the CPU" in page and gpu_training.LONG in page


def test_parts_are_limited_kept_and_counted(tmp_path, monkeypatch):
    parts = {
        "good": (20, ["-c", "print('measured')"]),
        "bad": (20, ["-c", "raise SystemExit(3)"]),
        "slow": (0.5, ["-c", "import time; time.sleep(30)"]),
        "trials": (20, ["-c", "print('asked for')"]),
    }
    monkeypatch.setattr(gpu, "parts", lambda device, quick: parts)
    place = ("--device", "cpu", "--out", tmp_path, "--wheels", tmp_path)
    with pytest.raises(SystemExit, match="1"):
        called(gpu, monkeypatch, *place)
    assert {file.stem for file in tmp_path.glob("*.log")} == {"good", "bad", "slow"}
    with pytest.raises(SystemExit, match="0"):
        called(gpu, monkeypatch, *place, "--parts", "good", "trials")
    assert (tmp_path / "trials.log").read_text() == "asked for\n"


@pytest.mark.parametrize("way", [gpu_training.LONG, "graphs, collecting processes"])
def test_ways_to_train_are_configs(way, compose):
    cfg = compose("experiment=humanoid_pqc", "trainer=gpu", "num_envs=16", *gpu_training.WAYS[way])
    assert cfg.algo.cuda_graphs and cfg.data.storage == "device"


@pytest.mark.slow
def test_a_dry_run_on_the_cpu_measures_every_part(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", "--out", str(tmp_path), "--wheels", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        gpu.main()
    assert end.value.code == 0
    for name in ("circuits", "updates", "training"):
        results = json.loads((tmp_path / f"{name}.json").read_text())["results"]
        assert results and all("value" in result for result in results.values()), results
