"""What is particular in the model card of an agent."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from qtrl.commands.export.exportable import Card
from qtrl.config.overrides import for_shell

WHAT = """\
A policy for Gymnasium's `{env_id}`, label `{label}`, trained by qtrl with the method of
[arXiv:2503.09119](https://arxiv.org/abs/2503.09119). This is its actor, with the qtDNN if it has one; critics and
optimizers are left out."""
USE = """\
```bash
python -m qtrl.eval {run} video=true
```

plays it in simulation; `video=true` films the first episode. `config.yaml` has every setting of the run, `result.json`
the results above, `agent.json` the spaces of observations and actions and which weights normalize observations."""
LIMITS = """\
One seed of one run: it says what this agent does, and nothing about how its method compares with
others, for which the project's studies have several seeds. It knows this simulated environment alone, from the start
states that the environment draws, and was not tested for anything else."""
PACKAGES = MappingProxyType({"torch": "torch", "Gymnasium": "gymnasium", "MuJoCo": "mujoco"})


def agent_card(run: str, result: Mapping[str, Any]) -> Card:
    """Return it.

    Args:
        run: What `run=` finds the agent by.
        result: Of its test, or under `run` of its run, with facts about the agent.
    """
    return Card(
        what=WHAT.format(env_id=result["env_id"], label=result["label"]),
        rows=_of_run(result["run"]) if "run" in result else _of_test(result),
        counted=f"{result['env_steps']:,} env steps",
        train=("experiment", "seed", "total_env_steps"),
        packages=PACKAGES,
        use=USE.format(run=for_shell("run", run)),
        limits=LIMITS,
    )


def _of_test(result: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    first, episodes = result["seed"], result["episodes"]
    seeds = f"start seeds {first} to {first + episodes - 1}"
    spread = f"standard deviation {result['return_std']:.1f} over episodes"
    return (
        ("return", f"{result['return_mean']:.1f}, {spread}"),
        ("test", f"{episodes} episodes, {seeds}, without exploration noise, with the real block"),
    )


def _of_run(run: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Say what the run's own tests gave; it may have none."""
    if run is None:
        return (("result", "none: the run has no `summary.json`, so it did not end"),)
    rows = [("run", f"{run['status']}, seed {run['seed']}, {run['env_steps']:,} env steps, {run['updates']:,} updates")]
    if "return_mean" in run:
        spread = f"standard deviation {run['return_std']:.1f} over {run['episodes']} episodes"
        rows.append(("last test of the run", f"{run['return_mean']:.1f}, {spread}"))
    if "best_return_mean" in run:
        rows.append(
            ("best test of the run", f"{run['best_return_mean']:.1f} after {run['best_env_steps']:,} env steps")
        )
    rows.append(("tested when exported", "no: the returns above are the run's own, without exploration noise"))
    return tuple(rows)
