"""The model card of an exported agent: what it is, how it was made and tested, and what it is not."""

import shlex
from collections.abc import Mapping
from typing import Any

from torch import nn

from qtrl.config.overrides import for_shell
from qtrl.errors import CheckpointError

CARD = """# {name}

A policy for Gymnasium's `{env_id}`, label `{label}`, trained by qtrl with the method of
[arXiv:2503.09119](https://arxiv.org/abs/2503.09119). This is its actor, with the qtDNN if it has one; critics and
optimizers are left out.

| | |
|---|---|
{results}
| checkpoint | `{checkpoint}.ckpt` of the run, after {env_steps:,} env steps and {updates:,} updates |
| trained as | `{train}` |
| block | {block} |
| size | {parameters:,} numbers |
| exported with | qtrl {qtrl}{commit}, torch {torch}, Gymnasium {gymnasium}, MuJoCo {mujoco} |

```bash
{play}
```

plays it in simulation; `video=true` films the first episode. `config.yaml` has every setting of the run, `result.json`
the results above, `agent.json` the spaces of observations and actions and which weights normalize observations.

**What it is not.** One seed of one run: it says what this agent does, and nothing about how its method compares with
others, for which the project's studies have several seeds. It knows this simulated environment alone, from the start
states that the environment draws, and was not tested for anything else.
"""


def model_card(name: str, run: str, config: Mapping[str, Any], result: Mapping[str, Any], actor: nn.Module) -> str:
    """Return the card as Markdown.

    Args:
        name: Of the agent.
        run: What `run=` finds it by.
        config: Of its run, as plain data.
        result: Of its test, or under `run` of its run, with facts about the agent.
        actor: Its network.

    Raises:
        CheckpointError: The result is not one.
    """
    keys = ("experiment", "seed", "total_env_steps")
    train = shlex.join(["python", "-m", "qtrl.train", *(f"{key}={config[key]}" for key in keys if key in config)])
    try:
        return CARD.format(
            **{key: result[key] for key in ("env_id", "label", "checkpoint", "env_steps", "updates")},
            **{key: result["versions"][key] for key in ("qtrl", "torch", "gymnasium", "mujoco")},
            name=name,
            results=_of_run(result["run"]) if "run" in result else _of_test(result),
            train=train,
            block=_block(result),
            parameters=sum(value.numel() for value in actor.state_dict().values()),
            commit=f" at commit {result['git_commit'][:12]}" if result["git_commit"] else "",
            play=f"python -m qtrl.eval {for_shell('run', run)} video=true",
        )
    except (KeyError, TypeError, ValueError) as error:  # of an exported agent, whose result may be anything
        raise CheckpointError(f"the agent's result.json is not what qtrl writes: {error!r}") from error


def _of_test(result: Mapping[str, Any]) -> str:
    first, episodes = result["seed"], result["episodes"]
    seeds = f"start seeds {first} to {first + episodes - 1}"
    return f"""\
| return | {result["return_mean"]:.1f}, standard deviation {result["return_std"]:.1f} over episodes |
| test | {episodes} episodes, {seeds}, without exploration noise, with the real block |"""


def _of_run(run: Mapping[str, Any] | None) -> str:
    """Say what the run's own tests gave; it may have none."""
    if run is None:
        return "| result | none: the run has no `summary.json`, so it did not end |"
    rows = [("run", f"{run['status']}, seed {run['seed']}, {run['env_steps']:,} env steps, {run['updates']:,} updates")]
    if "return_mean" in run:
        spread = f"standard deviation {run['return_std']:.1f} over {run['episodes']} episodes"
        rows.append(("last test of the run", f"{run['return_mean']:.1f}, {spread}"))
    if "best_return_mean" in run:
        rows.append(
            ("best test of the run", f"{run['best_return_mean']:.1f} after {run['best_env_steps']:,} env steps")
        )
    rows.append(("tested when exported", "no: the returns above are the run's own, without exploration noise"))
    return "\n".join(f"| {what} | {said} |" for what, said in rows)


def _block(result: Mapping[str, Any]) -> str:
    readout, shots, engine = (result[key] for key in ("readout", "shots", "engine"))
    measured = f"{readout} of {shots} shots" if shots else readout
    return f"a circuit, read as `{measured}`, run by the engine `{engine}`" if engine else "without a circuit"
