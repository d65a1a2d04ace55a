"""The command `qtrl.export`: what was trained as a folder, or as an ONNX model."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from qtrl.commands.export.description import describe
from qtrl.commands.export.exportable import Exportable, Signature
from qtrl.commands.export.folder import check_target, export_folder, make_folder
from qtrl.commands.export.load import load_exportable
from qtrl.commands.export.onnx_file import OPSET, check_packages, onnx_versions, to_onnx
from qtrl.commands.export.parity import parity, stand_ins_apart
from qtrl.commands.export.results import result_of
from qtrl.commands.export.stand_ins import QUANTUM
from qtrl.config.secrets import refuse_secrets
from qtrl.config.validation.number import Number
from qtrl.errors import ConfigError
from qtrl.files.atomic import write_bytes, write_json
from qtrl.nn import quantum_layers
from qtrl.run.saved_run import LARGEST_SEED, check_reading

FORMATS = ("folder", "onnx")
ENDING = ".onnx"


def run_export(cfg: DictConfig) -> Path:
    """Write the agent or model that the composed config names, and return the new folder or file.

    Raises:
        QtrlError: An option is not allowed, or it cannot be read or written so.
    """
    refuse_secrets(cfg)
    check_options(cfg)
    target = _new_file(cfg.to) if cfg.format == "onnx" else check_target("to", cfg.to)
    assert target is not None
    subject = load_exportable(cfg)
    if cfg.format == "onnx":
        _export_onnx(target, subject, cfg)
    else:
        export_folder(target, subject, result_of(subject, cfg.checkpoint))
        print(f"qtrl: {target}")
    return target


def check_options(options: DictConfig) -> None:
    """Raise a ConfigError for the first option that is not allowed; choose what is left open."""
    check_reading(options.checkpoint, None, None)
    if not isinstance(options.to, str) or not options.to:
        raise ConfigError(f"to={options.to} is not allowed: expected a new folder, or a new file that ends in {ENDING}")
    if options.format is None:
        options.format = "onnx" if options.to.endswith(ENDING) else "folder"
    if options.format not in FORMATS:
        raise ConfigError(f"format={options.format} is unknown: choices are {', '.join(FORMATS)}")
    if options.format == "folder" and options.quantum is not None:
        raise ConfigError(f"quantum={options.quantum} goes with format=onnx: a folder has circuit and surrogate both")
    if options.quantum not in (None, *QUANTUM):
        raise ConfigError(f"quantum={options.quantum} is unknown: choices are {', '.join(QUANTUM)}")
    options.observations = Number(1, 1_000_000).check("observations", options.observations)
    options.seed = Number(0, LARGEST_SEED).check("seed", options.seed)
    if options.format == "onnx":
        check_packages()


def _new_file(target: str) -> Path:
    if not target.endswith(ENDING):
        raise ConfigError(f"to={target} is not allowed with format=onnx: expected a file that ends in {ENDING}")
    path = Path(target).expanduser().absolute()
    for each in (path, path.with_suffix(".json")):
        if each.exists() or each.is_symlink():
            raise ConfigError(f"to={target}: {each} exists: remove it, or name another file")
    return path


def _export_onnx(path: Path, subject: Exportable, cfg: DictConfig) -> None:
    """Write the model, compare it with torch, and write beside it what it is and what the comparison gave."""
    quantum, signature = cfg.quantum or next(iter(QUANTUM)), subject.signature
    function = subject.function(quantum)
    inputs, source = subject.inputs(cfg.observations, cfg.seed)
    model = to_onnx(function, signature)
    replaced = any(layer.block.executable is not None for layer in quantum_layers(subject.network).values())
    report: dict[str, Any] = {
        signature.cases: len(inputs),
        "source": source,
        "seed": cfg.seed,
        "onnxruntime_and_torch": parity(model, function, inputs),
        "exact_and_surrogate": stand_ins_apart(subject.function, inputs) if replaced else None,
    }
    described, _ = describe(subject)
    described["versions"] |= onnx_versions()
    for layer in described["quantum_layers"].values():
        layer.pop("circuit", None)  # a file that is not written here
    made = {"quantum": quantum if replaced else None, "checkpoint": cfg.checkpoint, "opset": OPSET}
    make_folder(path.parent)
    write_bytes(path, model)
    write_json(path.with_suffix(".json"), made | described | {"parity": report})
    _tell(path, signature, report)


def _tell(path: Path, signature: Signature, report: dict[str, Any]) -> None:
    apart, stand_ins = report["onnxruntime_and_torch"]["largest"], report["exact_and_surrogate"]
    differ = f"{signature.answers} differ by at most"
    on = f"over {report[signature.cases]:,} {signature.cases} from {report['source']}"
    print(f"qtrl: onnxruntime and torch: {differ} {apart:.2g} {on}")
    if stand_ins is not None:
        said = stand_ins.get("reason") or f"{differ} {stand_ins['largest']:.2g}"
        print(f"qtrl: exact circuit and surrogate: {said}")
    print(f"qtrl: {path}")
    print(f"qtrl: {path.with_suffix('.json')}")
