import numba
import pytest
from numba.core.event import install_listener

from qtrl.quantum.engines.compile_notice import CompilingNotice


@numba.njit
def doubled(x):
    return 2 * x


def announced(x):
    return doubled(x)


@pytest.fixture
def lines(caplog):
    """Compile, by one call, and return what was said meanwhile."""

    def call(function):
        caplog.clear()
        with install_listener("numba:compile", CompilingNotice(function)):
            assert function(2) == function(2) == 4
        return caplog.messages

    return call


def test_one_line_says_what_is_compiled_and_that_it_cannot_be_kept(lines):
    (line,) = lines(numba.njit(announced))
    assert line.startswith("qtrl: compiling the CPU kernel 'announced' takes 10 to 30 s")
    assert "NUMBA_CACHE_DIR" in line


def test_a_kernel_from_the_cache_passes_silently(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    (line,) = lines(numba.njit(cache=True)(announced))
    assert f"kept for later in {tmp_path}" in line
    assert lines(numba.njit(cache=True)(announced)) == []
