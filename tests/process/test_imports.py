import gc

import pytest

from qtrl.process.imports import lasting_imports


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that can be imported once."""
    (tmp_path / "something_new.py").write_text("class Something:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "something_new"
    gc.unfreeze()


def test_what_is_imported_is_left_alone_by_the_collector_and_what_comes_later_is_not(module):
    gc.unfreeze()
    with lasting_imports():
        assert not gc.isenabled()
        found = __import__(module)
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(thing is found.Something for thing in gc.get_objects())
    later = [found]
    with lasting_imports():
        __import__(module)
    assert any(thing is later for thing in gc.get_objects())


def test_the_collector_goes_on_after_an_error():
    with pytest.raises(ModuleNotFoundError), lasting_imports():
        import no_such_module  # noqa: F401
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with lasting_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
