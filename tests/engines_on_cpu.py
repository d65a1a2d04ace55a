"""The engines that tests run on a CPU; `contracts/test_engine_interpreted.py` is for those of a GPU."""

from sampling_engine import SamplingEngine

from qtrl.quantum import ENGINES

ON_CPU = sorted(name for name, engine in ENGINES.items() if "cpu" in engine.capabilities.devices)
CONTRACTED = {**{name: ENGINES[name] for name in ON_CPU}, SamplingEngine.name: SamplingEngine}
"""Name to class of all engines that must pass the contract tests: those of qtrl, and one that can only sample."""
EXACT = [name for name, engine in CONTRACTED.items() if engine.capabilities.exact]
