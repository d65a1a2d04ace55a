"""The engines that tests run on a CPU; `contracts/test_engine_interpreted.py` is for those of a GPU."""

from qtrl.quantum import ENGINES

ON_CPU = sorted(name for name, engine in ENGINES.items() if "cpu" in engine.capabilities.devices)
