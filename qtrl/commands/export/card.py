"""The model card of what is exported: what it is, how it was made and tested, and what it is not."""

from collections.abc import Mapping
from typing import Any

from qtrl.commands.export.exportable import Exportable
from qtrl.config.nested import Missing, at
from qtrl.config.overrides import for_shell
from qtrl.errors import CheckpointError

CARD = """# {name}

{what}

| | |
|---|---|
{rows}

{use}

**What it is not.** {limits}
"""


def model_card(subject: Exportable, name: str, run: str, config: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Return the card as Markdown.

    Args:
        subject: What is exported.
        name: Of its folder.
        run: What `run=` finds it by.
        config: Of its run, as plain data.
        result: Of its test, or under `run` of its run, with facts about it.

    Raises:
        CheckpointError: The result is not one.
    """
    try:
        own = subject.card(run, result)
        versions, commit = result["versions"], result["git_commit"]
        packages = [f"{shown} {versions[package]}" for shown, package in own.packages.items()]
        at_commit = f" at commit {commit[:12]}" if commit else ""
        kept = f"`{result['checkpoint']}.ckpt` of the run, after {own.counted} and {result['updates']:,} updates"
        rows = (
            *own.rows,
            ("checkpoint", kept),
            ("trained as", f"`{_command(config, own.train)}`"),
            ("block", _block(result)),
            ("size", f"{sum(value.numel() for value in subject.network.state_dict().values()):,} numbers"),
            ("exported with", ", ".join([f"qtrl {versions['qtrl']}{at_commit}", *packages])),
        )
        table = "\n".join(f"| {what} | {said} |" for what, said in rows)
        return CARD.format(name=name, what=own.what, rows=table, use=own.use, limits=own.limits)
    except (KeyError, TypeError, ValueError) as error:  # of what was exported before, whose result may be anything
        raise CheckpointError(f"result.json is not what qtrl writes: {error!r}") from error


def _command(config: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    found = {key: at(config, key) for key in keys}
    told = [for_shell(key, value) for key, value in found.items() if not isinstance(value, Missing | None)]
    return " ".join(["python -m qtrl.train", *told])


def _block(result: Mapping[str, Any]) -> str:
    readout, shots, engine = (result[key] for key in ("readout", "shots", "engine"))
    measured = f"{readout} of {shots} shots" if shots else readout
    return f"a circuit, read as `{measured}`, run by the engine `{engine}`" if engine else "without a circuit"
