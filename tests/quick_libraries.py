"""Other people's code in less time: coverage does not look at it, and Hydra composes each config once a process.

Hydra takes a third of a second for a config, and twice that under coverage. Tests of commands often differ in nothing
but the folder they work in, so a config is kept with a word in the place of each path, and given out as a copy with the
paths in it.
"""

import contextlib
import copy
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

PATH = re.compile(r"(run_dir|run|runs|folder|out|paths\.runs|hydra\.sweep\.dir|ckpt_path)=(/[\w./-]+)")
"""An override with nothing but a path, as tests give it."""
kept, configs = {}, []


def controllers():
    """Those of coverage, where it is measured."""
    plugins = (config.pluginmanager.getplugin("_cov") for config in configs)
    return [plugin.cov_controller for plugin in plugins if plugin and plugin.cov_controller]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Stop what pytest-cov 7.1 starts in each worker as if that handed tests out: nothing would ever pause it."""
    configs.append(config)
    if hasattr(config, "workerinput"):
        for controller in controllers():
            controller.cov.stop()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Measure the import of every module first, and not that of the tests and of what they need besides."""
    import qtrl

    if any(controller.started for controller in controllers()):
        for module in pkgutil.walk_packages(qtrl.__path__, "qtrl."):
            importlib.import_module(module.name)
    with unmeasured():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Where coverage does not look at a test, it does not look at its fixtures either."""
    with unmeasured() if item.get_closest_marker("no_cover") else contextlib.nullcontext():
        return (yield)


@contextlib.contextmanager
def unmeasured():
    """Let coverage not look at other people's code, which would take twice as long under its eyes."""
    running = [controller for controller in controllers() if controller.started]
    for controller in running:
        controller.pause()
    try:
        yield
    finally:
        for controller in running:
            controller.resume()


def with_words(overrides):
    """Return the overrides with words in the place of paths, and the path of each word."""
    paths, changed = {}, []
    for override in overrides:
        if found := PATH.fullmatch(override):
            word = f"/PATH{len(paths)}"
            paths[word] = found[2]
            override = f"{found[1]}={word}"
        changed.append(override)
    return changed, paths


def put_back(node, paths):
    """Put the paths in the place of their words, wherever a text of the config has them."""
    from omegaconf import Container

    values = node._content
    for value in values.values() if isinstance(values, dict) else values if isinstance(values, list) else ():
        if isinstance(value, Container):
            put_back(value, paths)
        elif isinstance(text := value._value(), str) and "/PATH" in text:
            for word, path in paths.items():
                text = text.replace(word, path)
            value._val = text


@pytest.fixture(scope="session")
def compose_once():
    """Let Hydra compose each config once, and coverage not look at it."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.utils import JobRuntime
    from omegaconf import OmegaConf

    load = ConfigLoaderImpl.load_configuration

    def load_once(self, config_name, overrides, run_mode, from_shell=True, validate_sweep_overrides=True):
        options = (config_name, run_mode, from_shell, validate_sweep_overrides)
        if any("hydra.searchpath" in override for override in overrides):
            with unmeasured():
                return load(self, config_name, overrides, *options[1:])
        changed, paths = with_words(overrides)
        sources = tuple((source.provider, source.path) for source in self.config_search_path.get_path())
        key = (*options, tuple(changed), sources, JobRuntime().get("name"))
        with unmeasured():
            try:
                if key not in kept:
                    kept[key] = load(self, config_name, changed, *options[1:])
            except Exception as error:
                if "/PATH" not in str(error):
                    raise
                return load(self, config_name, overrides, *options[1:])  # for an error that names the path
            cfg = copy.deepcopy(kept[key])
            put_back(cfg, paths)
            OmegaConf.set_readonly(cfg.hydra, False)
            cfg.hydra.runtime.cwd = str(Path.cwd())
        return cfg

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigLoaderImpl, "load_configuration", load_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def draw_unmeasured():
    """Let coverage not look at Matplotlib while it draws."""
    if not controllers():
        yield
        return
    from matplotlib.figure import Figure

    with pytest.MonkeyPatch.context() as patch:
        for name in ("add_subplot", "draw_without_rendering", "savefig", "subplots"):
            patch.setattr(Figure, name, unmeasured()(getattr(Figure, name)))
        yield
