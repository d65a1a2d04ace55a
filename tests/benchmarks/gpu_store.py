"""Results of the GPU benchmarks on disk, written one by one: what is there when time is up is kept."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from records import conditions


class Store:
    """A JSON file of named results.

    Args:
        file: Where it lies; what it holds already is not measured again.
        device: What the results were measured on, `cuda` or `cpu`.
    """

    def __init__(self, file: Path, device: str) -> None:
        self._file = file
        self.record: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"results": {}}
        self.record |= conditions() | {"device": device, "card": card(device)}

    def add(self, name: str, measure: Callable[[], Any]) -> bool:
        """Measure what is not there yet, and tell whether it succeeded; a failure is a result too."""
        results = self.record["results"]
        if "value" in results.get(name, {}):
            return True
        start = time.perf_counter()
        try:
            results[name] = {"value": measure()}
        except Exception as error:  # a part that fails must not take the others with it
            first_line = str(error).strip().partition("\n")[0]
            results[name] = {"error": f"{type(error).__name__}: {first_line[:300]}"}
        results[name]["seconds"] = round(time.perf_counter() - start, 2)
        self.record["load_average_after"] = os.getloadavg()
        self._write()
        print(name, {key: shortened(value) for key, value in results[name].items()}, flush=True)
        return "value" in results[name]

    def leave_out(self, name: str, reason: object) -> None:
        """Note what cannot be measured here, and why."""
        self.record.setdefault("left_out", {})[name] = str(reason)
        self._write()
        print(f"left out: {name}: {reason}", flush=True)

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self.record, indent=1) + "\n")


def shortened(value: Any) -> Any:
    """Round numbers for the screen."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return {key: shortened(one) for key, one in value.items()} if isinstance(value, dict) else value


def card(device: str) -> dict[str, Any]:
    """Return name, memory, driver and CUDA version of the device."""
    if device == "cpu":
        return {"name": "none, dry run on the CPU"}
    properties = torch.cuda.get_device_properties(0)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "driver": subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip(),
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
    }


def memory_in_use(device: str) -> int | None:
    """Return the bytes of the first card's memory that all processes take together."""
    if device == "cpu":
        return None
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return 2**20 * int(subprocess.run(query, capture_output=True, text=True, check=True).stdout)


def peak_memory(call: Callable[[], Any], device: str) -> int | None:
    """Return the bytes of device memory that a call takes at most beside what was there before."""
    if device == "cpu":
        call()
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
