import sys
from dataclasses import replace

import pytest

from qtrl.errors import EngineError
from qtrl.quantum import ENGINES, Circuit, engines, make_engine

BELL = Circuit.from_gates(2, [("h", 0), ("cx", 0, 1)])


def test_every_engine_can_be_imported_by_the_name_of_its_class():
    assert all(getattr(engines, engine.__name__) is engine for engine in ENGINES.values())


def test_an_unknown_option_is_refused_with_those_there_are():
    with pytest.raises(EngineError, match="engine 'numba' has no option 'shots', its options: none"):
        make_engine("numba", shots=3)
    with pytest.raises(EngineError, match="engine 'auto' has no option 'candidate', its options: candidates"):
        make_engine(candidate="numba")


def test_a_missing_gate_is_named(monkeypatch):
    able = ENGINES["reference"].capabilities
    monkeypatch.setattr(ENGINES["reference"], "capabilities", replace(able, gates=frozenset({"h", "x"})))
    with pytest.raises(EngineError, match="engine 'reference' has no gate cx; engine 'auto' takes one that can"):
        make_engine("reference").prepare(BELL)


def test_an_unknown_engine_lists_the_choices():
    with pytest.raises(EngineError, match=f"unknown engine 'quick', expected one of {', '.join(ENGINES)}"):
        make_engine("quick")


@pytest.mark.parametrize(("name", "package"), [("numba", "numba"), ("torchquantum", "torchquantum-ng")])
def test_an_absent_package_is_named_with_what_to_install(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=f"pip install {package}"):
        make_engine(name).prepare(BELL)
