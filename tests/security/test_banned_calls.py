import ast
from pathlib import Path

import pytest

import qtrl

PACKAGE = Path(qtrl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {"pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib"}
CALLS = {
    "eval": (),
    "exec": (),
    "torch.load": ("callbacks/checkpoint_io.py",),
    "np.load": (),
    "numpy.load": (),
    "yaml.load": (),
    "yaml.full_load": (),
    "yaml.unsafe_load": (),
    "OmegaConf.load": (),
    "time.time": (),
    "json.load": (),
}
"""Calls, and the only files that may make them."""
METHODS = {
    "load_memmap",
    "load_from_checkpoint",
    "add_safe_globals",
    "safe_globals",
    "loads",
    "load_state_dict_from_url",
}


def found_in(source):
    """What a source imports and calls, by dotted name, and the names of the methods that it calls."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (("import", alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "import", (node.module or "").partition(".")[0]
            yield from (("call", f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call | ast.Attribute):
            function = node.func if isinstance(node, ast.Call) else node
            yield "call", ast.unparse(function)
            if isinstance(function, ast.Attribute):
                yield "method", function.attr


def banned(source, file=""):
    for kind, name in found_in(source):
        refused = {
            "import": name in MODULES,
            "call": name in CALLS and file not in CALLS[name],
            "method": name in METHODS,
        }
        if refused[kind]:
            yield name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_in_the_package_runs_what_a_file_says(path):
    source = path.read_text().replace("json.loads(", "parse(")
    assert sorted(set(banned(source, str(path.relative_to(PACKAGE))))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import cloudpickle.fast as x",
        "eval('1')",
        "x = torch.load(path, weights_only=True)",
        "from torch import load",
        "f = torch.load",
        "np.load(path)",
        "buffer.loads(path)",
        "TensorDict.load_memmap(path)",
        "TD3.load_from_checkpoint(path)",
        "torch.serialization.add_safe_globals([x])",
        "OmegaConf.load(path)",
        "yaml.load(text, Loader)",
        "time.time()",
    ],
)
def test_the_search_finds_them(source):
    assert list(banned(source))


def test_checkpoints_are_read_with_weights_only_said():
    source = (PACKAGE / "callbacks" / "checkpoint_io.py").read_text()
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    (load,) = [call for call in calls if ast.unparse(call.func) == "torch.load"]
    (value,) = [word.value for word in load.keywords if word.arg == "weights_only"]
    assert ast.unparse(value) == "True"
