"""The model card of an exported agent: what it is, how it was made and tested, and what it is not."""

import shlex
from collections.abc import Mapping
from typing import Any

from torch import nn

from qtrl.config.overrides import for_shell

CARD = """# {name}

A policy for Gymnasium's `{env_id}`, label `{label}`, trained by qtrl with the method of
[arXiv:2503.09119](https://arxiv.org/abs/2503.09119). This is its actor, with the qtDNN if it has one; critics and
optimizers are left out.

| | |
|---|---|
| return | {return_mean:.1f}, standard deviation {return_std:.1f} over episodes |
| test | {episodes} episodes, start seeds {seed} to {last_seed}, without exploration noise, with the real block |
| checkpoint | `{checkpoint}.ckpt` of the run, after {env_steps:,} env steps and {updates:,} updates |
| trained as | `{train}` |
| block | {block} |
| size | {parameters:,} numbers |
| tested and exported with | qtrl {qtrl}{commit}, torch {torch}, Gymnasium {gymnasium}, MuJoCo {mujoco} |

```bash
{play}
```

plays it in simulation; `video=true` films the first episode. `config.yaml` has every setting of the run, `result.json`
the return of each episode.

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
        result: Of its test, with facts about the agent.
        actor: Its network.
    """
    keys = ("experiment", "seed", "total_env_steps")
    train = shlex.join(["python", "-m", "qtrl.train", *(f"{key}={config[key]}" for key in keys if key in config)])
    readout, shots, engine = (result[key] for key in ("readout", "shots", "engine"))
    measured = f"{readout} of {shots} shots" if shots else readout
    versions, commit = result["versions"], result["git_commit"]
    return CARD.format(
        **{key: result[key] for key in ("env_id", "label", "return_mean", "return_std", "episodes", "seed")},
        **{key: result[key] for key in ("checkpoint", "env_steps", "updates")},
        **{key: versions[key] for key in ("qtrl", "torch", "gymnasium", "mujoco")},
        name=name,
        last_seed=result["seed"] + result["episodes"] - 1,
        train=train,
        block=f"a circuit, read as `{measured}`, tested on the engine `{engine}`" if engine else "without a circuit",
        parameters=sum(value.numel() for value in actor.state_dict().values()),
        commit=f" at commit {commit[:12]}" if commit else "",
        play=f"python -m qtrl.eval {for_shell('run', run)} video=true",
    )
