"""What is particular in the model card of a model of a table."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from qtrl.commands.export.exportable import Card
from qtrl.config.nested import shown
from qtrl.config.overrides import for_shell
from qtrl.keys import SCORES

WHAT = """\
A model of the table {dataset} that predicts {predicted} from {columns} columns; label `{label}`, trained by qtrl with
the method of [arXiv:2503.09119](https://arxiv.org/abs/2503.09119). This is its network, with its qtDNNs if it has any,
and means and deviations of the training rows. The table's rows and optimizers are left out."""
USE = """\
```python
import qtrl

model = qtrl.load({run!r})
model.predict(rows)  # (N,) for rows (N, {width}) in the table's units, or for a data frame
```

predicts without the table. The columns, in their order, are {columns}. `model.json` names them, the classes, and which
weights standardize rows; `config.yaml` has every setting of the run, `result.json` the scores above.
`python -m qtrl.eval {eval}` tests the model again where the same table can be had: one that was a file is looked for
in the current folder, by its name."""
LIMITS = """\
One seed of one run, on one split of one table: it says what this model does, and nothing about how its
method compares with others, for which a study has several seeds. It knows rows such as it was trained on, and does not
tell when a row is unlike them; nothing was measured but the scores above, on rows of that table."""
TRAIN = (
    *("experiment", "seed", "epochs", "data.split_seed", "optimized_metric"),
    *("dataset.path", "dataset.target", "dataset.kind", "dataset.missing"),
)
PACKAGES = MappingProxyType({"torch": "torch", "NumPy": "numpy"})
MOST_NAMED = 20


def model_card(run: str, result: Mapping[str, Any]) -> Card:
    """Return it.

    Args:
        run: What `run=` finds the model by.
        result: With what its run gave, under `run`, and facts about the table.
    """
    target, width, classes = _code(result["target"]), len(result["columns"]), len(result["classes"])
    predicted = f"{target}, one of {classes} classes," if classes else f"{target}, a number,"
    what = {"dataset": _code(result["dataset"]), "predicted": predicted, "label": result["label"]}
    use = {"run": run, "eval": for_shell("run", run), "columns": _named(result["columns"])}
    return Card(
        what=WHAT.format(**what, columns=width),
        rows=_rows(result["run"], SCORES[result["kind"]]),
        counted=f"{result['env_steps']:,} examples",
        train=TRAIN,
        packages=PACKAGES,
        use=USE.format(**use, width=width),
        limits=LIMITS,
    )


def _rows(run: Mapping[str, Any] | None, scores: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Say what the run's own tests gave; it may have none."""
    if run is None:
        return (("result", "none: the run has no `summary.json`, so it did not end"),)
    rows = [("run", f"{run['status']}, seed {run['seed']}, {run['env_steps']:,} examples, {run['updates']:,} updates")]
    parts = {"to learn from": "train_rows", "for validation": "validation_rows", "for the test": "test_rows"}
    if all(name in run for name in parts.values()):
        rows.append(("rows", ", ".join(f"{run[name]:,} {what}" for what, name in parts.items())))
    for part, what in {"test": "test at the end of the run", "validation": "last validation of the run"}.items():
        if told := [f"{name} {run[f'{part}_{name}']:.4f}" for name in scores if f"{part}_{name}" in run]:
            rows.append((what, ", ".join(told)))
    if (best := f"best_validation_{scores[1]}") in run:
        rows.append(
            ("best validation of the run", f"{scores[1]} {run[best]:.4f} after {run['best_env_steps']:,} examples")
        )
    rows.append(("tested when exported", "no: the scores above are the run's own, with the real block"))
    return tuple(rows)


def _named(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
    return ", ".join(map(_code, columns[:MOST_NAMED])) + more


def _code(name: object) -> str:
    """Write a name, which anybody may have chosen, as code on one line, in a table too."""
    return "`" + shown(str(name))[1:-1].replace("`", "'").replace("|", "\\|") + "`"
