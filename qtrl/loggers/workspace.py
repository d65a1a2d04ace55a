"""A W&B workspace (dashboard) as code: its sections and panels."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtrl.errors import WandbError
from qtrl.keys import ENV_STEPS, PURPOSES
from qtrl.loggers.artifacts import VIDEO
from qtrl.loggers.time_limit import within
from qtrl.loggers.wandb import CALL_SECONDS, error_line, has_key, teardown

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section, Workspace

NAME = "qtrl"
LABEL = "label"
"""Config key by which runs are grouped: the seeds of one variant share it."""
COLUMNS = 3
MOST_RUNS = 200
"""Maximum number of runs in a panel; W&B's default is 10, fewer than two variants of a study have."""
SUMMARIES = ("status", "return_mean", "last_ten_return_mean", "best_return_mean", "env_steps_per_second")
"""Keys of `summary.json` shown as columns in the list of runs."""
SAVE_SECONDS = 40
"""Time limit for the server; W&B itself gives up on one call after 19 s."""


@dataclass(frozen=True)
class Plot:
    """One panel of curves over env steps.

    Attributes:
        title: Its title.
        metrics: The metrics, each drawn as one curve per label.
        unit: Unit of the vertical axis.
        log_scale: Whether the vertical axis is logarithmic.
    """

    title: str
    metrics: tuple[str, ...]
    unit: str = ""
    log_scale: bool = False


SECTIONS = {
    "Returns by block": (
        Plot("Test return", ("test/return_mean",), "reward"),
        Plot("Mean of the last ten tests", ("test/last_ten_return",), "reward"),
        Plot("Best test return so far", ("test/best_return",), "reward"),
        Plot("Training return", ("train/return",), "reward"),
        Plot("Spread of the test episodes", ("test/return_std",), "reward"),
    ),
    "Gap between training and test": (
        Plot("Training return less test return", ("test/gap",), "reward"),
        Plot("Training and test return", ("train/return", "test/return_mean"), "reward"),
    ),
    "Surrogate fidelity": (
        Plot("Divergence from circuit to qtDNN", ("probe/bce_excess",), "nats"),
        Plot("Cross-entropy and its floor", ("probe/bce", "probe/bce_floor"), "nats"),
        Plot("Calibration error", ("probe/calibration_error", "probe/calibration_error_worst"), "probability"),
        Plot("Gradient cosine: PreDNN's parameters", ("probe/gradient_cosine",)),
        Plot("Gradient cosine: angles", ("probe/angle_gradient_cosine",)),
        Plot("Gradient norm against the exact one", ("probe/gradient_ratio", "probe/angle_gradient_ratio")),
    ),
    "Outputs of the quantum layer": (
        Plot("Entropy of q_out", ("train/q_out_entropy",), "bits"),
        Plot("Entropy of one state", ("probe/state_entropy",), "bits"),
        Plot("Total correlation", ("probe/total_correlation",), "bits"),
        Plot("Deviation of expectations over inputs", ("probe/expectation_std",), "probability"),
        Plot("Share of the actions explained", ("probe/explained_share",)),
        Plot("Change when outputs are shuffled", ("probe/shuffle_change",), "deviations"),
    ),
    "Losses": (
        Plot("Critic loss", ("loss/critic",), "reward²", log_scale=True),
        Plot("Actor loss", ("loss/actor",), "reward"),
        Plot("qtDNN: cross-entropy of the fit", ("surrogate/bce_before", "surrogate/bce_after"), "nats"),
        Plot("Q values", ("train/q1", "train/q2", "train/target_q"), "reward"),
        Plot("Q values against their bound", ("train/q_over_bound",)),
        Plot("Gradient norms", ("gradient/critic", "gradient/actor", "gradient/surrogate"), log_scale=True),
    ),
    "Circuits and shots": (
        Plot("Circuits", ("quantum/circuits",), "circuits"),
        Plot("Circuits by purpose", tuple(f"quantum/circuits/{purpose}" for purpose in PURPOSES), "circuits"),
        Plot("The bill of parameter shift", ("quantum/circuits", "quantum/parameter_shift_circuits"), "circuits", True),
        Plot("Shots", ("quantum/shots",), "shots"),
        Plot("Shots by purpose", tuple(f"quantum/shots/{purpose}" for purpose in PURPOSES), "shots"),
        Plot("Seconds in circuits", tuple(f"quantum/seconds/{purpose}" for purpose in PURPOSES), "s"),
    ),
    "Throughput": (
        Plot("Env steps per second", ("time/env_steps_per_second",), "env steps/s"),
        Plot("Updates per second", ("time/updates_per_second",), "updates/s"),
        Plot("Wall time", ("time/total",), "s"),
        Plot("Learning", ("time/env", "time/policy", "time/replay"), "s"),
        Plot("Updates", ("time/surrogate", "time/critic", "time/actor"), "s"),
        Plot("Besides learning", ("time/test", "time/probe", "time/save"), "s"),
    ),
}
"""Panels by section, in order of appearance."""


def workspace(entity: str, project: str) -> Workspace:
    """Define the workspace of a project, without contacting W&B.

    Curves are means over the runs of one label, in a band from the minimum to the maximum.

    Args:
        entity: The W&B user or team.
        project: The project whose runs it shows.

    Raises:
        WandbError: The package `wandb-workspaces` is missing.
    """
    try:
        from wandb_workspaces import expr
        from wandb_workspaces import workspaces as ws
    except ImportError as error:
        raise WandbError("a workspace needs wandb-workspaces: pip install 'qtrl[dashboard]'") from error
    sections = [_section(name, [_curves(plot) for plot in plots]) for name, plots in SECTIONS.items()]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[*sections, _section("Videos", [_videos()])],
        settings=ws.WorkspaceSettings(x_axis=ENV_STEPS, max_runs=MOST_RUNS),
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Config(LABEL)], pinned_columns=[f"summary:{key}" for key in SUMMARIES]
        ),
    )


def _section(name: str, panels: list[Any]) -> Section:
    from wandb_workspaces import workspaces as ws

    return ws.Section(
        name=name,
        panels=panels,
        is_open=True,
        layout_settings=ws.SectionLayoutSettings(columns=COLUMNS, rows=math.ceil(len(panels) / COLUMNS)),
        panel_settings=ws.SectionPanelSettings(x_axis=ENV_STEPS),
    )


def _curves(plot: Plot) -> Any:
    from wandb_workspaces.reports import v2 as panels

    return panels.LinePlot(
        title=plot.title,
        x=ENV_STEPS,
        y=list(plot.metrics),
        title_x="env steps",
        title_y=plot.unit,
        log_y=plot.log_scale,
        groupby=panels.Config(LABEL),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=MOST_RUNS,
    )


def _videos() -> Any:
    from wandb_workspaces.reports import v2 as panels

    return panels.MediaBrowser(title="Test episodes", media_keys=[VIDEO], num_columns=COLUMNS)


def definition(workspace: Workspace) -> str:
    """Return the workspace as the JSON that W&B stores; the ids of its panels are random."""
    return workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=2)


def save(workspace: Workspace) -> str:
    """Save the workspace as a new view of its project.

    Returns:
        Its address.

    Raises:
        WandbError: This machine is not logged in, or W&B does not answer or refuses.
    """
    if not has_key():  # W&B would ask for one, and wait, on a terminal
        raise WandbError("not logged in to W&B: run `wandb login`, or set WANDB_API_KEY; save=false needs neither")
    import wandb

    def send() -> str:
        wandb.setup(settings=wandb.Settings(silent=True))
        return workspace.save().url

    try:
        return within(SAVE_SECONDS, send)
    except Exception as error:  # W&B's client raises its own, those of its service, and others
        where = f"{workspace.entity}/{workspace.project}"
        reason = "its answer is empty" if isinstance(error, TypeError) else error_line(error)
        hint = "check entity, project and key, and that the server can be reached; save=false prints the definition"
        raise WandbError(f"W&B did not take the workspace of {where} ({reason}): {hint}") from error
    finally:
        with suppress(TimeoutError):
            within(CALL_SECONDS, teardown)
