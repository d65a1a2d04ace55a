from types import SimpleNamespace

import pytest
import torch

from qtrl.data.storage import capacity
from qtrl.data.storage.capacity import available_disk, available_memory, check_capacity, present
from qtrl.errors import ConfigError

GB = 10**9
KB = {"row_bytes": 4000, "slack": 0, "rows_of_run": 10**9}


@pytest.fixture
def have(monkeypatch):
    def have(memory=10**15, disk=10**15):
        monkeypatch.setattr(capacity, "available_memory", lambda: memory)
        monkeypatch.setattr(capacity, "available_disk", lambda folder: disk)

    return have


def refused(capacity, *, in_memory, folder, **changed):
    arguments = {**KB, **changed}
    row_bytes = arguments.pop("row_bytes")
    try:
        check_capacity(row_bytes, capacity=capacity, in_memory=in_memory, folder=folder, **arguments)
    except ConfigError as error:
        return str(error)
    return None


def largest_named(message):
    return int(message.partition("at most ")[2].split()[0])


@pytest.mark.parametrize(("in_memory", "on_disk"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("processes", [1, 3])
def test_the_largest_capacity_that_is_named_fits_and_the_next_does_not(tmp_path, have, in_memory, on_disk, processes):
    have(memory=2 * GB, disk=3 * GB)
    place = {"in_memory": in_memory, "folder": tmp_path if on_disk else None, "processes": processes, "slack": 20_000}
    message = refused(1_000_000, **place)
    assert "\n" not in message
    largest = largest_named(message)
    assert refused(largest, **place) is None
    assert refused(largest + 1, **place) is not None


def test_the_error_says_what_is_needed_and_what_there_is(have):
    have(memory=2 * GB)
    expected = "data.capacity=1000000 needs 4.2 GB of memory, there are 2 GB: set data.capacity to at most 476190 or"
    assert expected in refused(1_000_000, in_memory=True, folder=None)


def test_the_disk_is_named(tmp_path, have):
    have(disk=0)
    message = refused(1, in_memory=False, folder=tmp_path / "replay")
    assert f"on the disk of {tmp_path / 'replay'}, there are 0 GB: make room" in message


def test_rows_that_the_run_cannot_fill_do_not_count(tmp_path, have):
    have(memory=GB, disk=GB)
    place = {"in_memory": True, "folder": tmp_path}
    assert refused(10**6, **place) is not None
    assert refused(10**6, rows_of_run=200_000, **place) is None
    assert refused(10**30, rows_of_run=200_000, **place) is None
    assert refused(10**30, rows_of_run=300_000, **place) is not None


def test_files_that_are_there_already_count_as_available(tmp_path, have):
    (tmp_path / "observation.bin").write_bytes(bytes(range(256)) * 4 * 1000)
    found = present(tmp_path)
    assert found >= 1_024_000
    have(disk=4096 * 4000)
    assert refused(1, in_memory=False, folder=tmp_path) is None
    have(disk=int(4096 * 4000 * 1.05) - found)
    assert refused(1, in_memory=False, folder=tmp_path) is None
    have(disk=int(4096 * 4000 * 1.05) - found - 1)
    assert refused(1, in_memory=False, folder=tmp_path) is not None


def test_memory_that_nobody_tells_is_not_asked_for(have):
    have(memory=None)
    assert refused(10**12, in_memory=True, folder=None) is None


def test_the_disk_of_a_folder_to_be_made_is_that_of_the_one_around_it(tmp_path, monkeypatch):
    asked, usage = [], SimpleNamespace(free=1, total=1)
    monkeypatch.setattr(capacity.shutil, "disk_usage", lambda path: asked.append(path) or usage)
    monkeypatch.chdir(tmp_path)
    assert available_disk(tmp_path / "runs" / "a" / "replay") == 1
    assert available_disk(capacity.Path("runs/a")) == 1
    assert asked == [tmp_path, tmp_path]


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


MEMINFO = {"proc/meminfo": "MemTotal: 16000 kB\nMemFree: 100 kB\nMemAvailable: 8000 kB\nHugePages_Total: 0\n"}
STAT = "anon 900\ninactive_file 70\nactive_file 30\n"
INNER, OUTER = "sys/fs/cgroup/jobs/one", "sys/fs/cgroup/jobs"
VERSION_2 = {
    "proc/self/cgroup": "0::/jobs/one\n",
    f"{INNER}/memory.max": "max\n",
    f"{INNER}/memory.current": "1000\n",
    f"{INNER}/memory.stat": STAT,
    f"{OUTER}/memory.max": "5000\n",
    f"{OUTER}/memory.current": "2000\n",
    f"{OUTER}/memory.stat": STAT,
}
UNLIMITED = {**VERSION_2, f"{OUTER}/memory.max": "max\n"}
BEYOND = {**VERSION_2, f"{OUTER}/memory.current": "7000\n"}
OTHERS = {**VERSION_2, "proc/self/cgroup": "4:cpu,cpuacct:/x\n3:memory:/seen/from/outside/only\n0::/jobs/one\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        (MEMINFO, 8_192_000),
        ({**MEMINFO, **VERSION_2}, 5000 - 2000 + 100),
        ({**MEMINFO, **OTHERS}, 5000 - 2000 + 100),
        ({**MEMINFO, **UNLIMITED}, 8_192_000),
        (BEYOND, 0),
    ],
    ids=["nothing known", "no groups", "limit outside", "groups of version 1 beside it", "unlimited", "over the limit"],
)
def test_memory_is_what_the_system_and_every_group_leave(tmp_path, files, expected):
    write(tmp_path, files)
    assert available_memory(tmp_path) == expected


def test_this_machine_has_some_memory_and_some_disk(tmp_path):
    memory = available_memory()
    assert memory is None or memory > 10**7
    assert available_disk(tmp_path) > 0


def test_a_gpu_takes_all_rows_at_once_and_is_one_ranks_own(monkeypatch):
    monkeypatch.setattr(capacity, "available_on_gpu", lambda device: 4 * GB)
    place = {"in_memory": True, "folder": None, "device": torch.device("cuda", 1), "rows_of_run": 10, "processes": 3}
    assert refused(900_000, **place) is None
    message = refused(1_000_000, **place)
    assert "4.2 GB of memory on the GPU, there are 4 GB: set data.capacity to at most 952" in message
