"""A W&B workspace as code: what its panels show, and over what."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from qtrl.errors import WandbError
from qtrl.keys import ENV_STEPS
from qtrl.loggers.artifacts import VIDEO
from qtrl.loggers.time_limit import within
from qtrl.loggers.wandb import CALL_SECONDS, error_line, has_key, teardown

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

LABEL = "label"
"""Key of the config by which runs are grouped: the seeds of one block have it in common."""
COLUMNS = 3
MOST_RUNS = 200
"""Runs that a panel draws; W&B's own limit is 10, fewer than two blocks of a study have."""
SAVE_SECONDS = 40
"""How long the server may take; W&B itself gives up on one call after 19."""


class Plot(NamedTuple):
    """One panel over env steps with a curve of each metric for each label, all in one unit."""

    title: str
    metrics: Sequence[str]
    unit: str = ""
    log_scale: bool = False


def workspace(entity: str, project: str, sections: Mapping[str, Sequence[Plot]]) -> "Workspace":
    """Define the workspace of a project of a W&B user or team, with these sections of panels; nothing is read or sent.

    Curves are means over the runs of one label, within a band from the lowest run to the highest.

    Raises:
        WandbError: The package `wandb-workspaces` is missing.
    """
    try:
        from wandb_workspaces import expr
        from wandb_workspaces import workspaces as ws
    except ImportError as error:
        raise WandbError("a workspace needs wandb-workspaces: pip install 'qtrl[dashboard]'") from error
    from wandb_workspaces.reports import v2 as panels

    curves = [_section(name, [_curves(plot) for plot in plots]) for name, plots in sections.items()]
    videos = panels.MediaBrowser(title="Test episodes", media_keys=[VIDEO], num_columns=COLUMNS)
    shown = ("status", "return_mean", "last_ten_return_mean", "best_return_mean", "env_steps_per_second")
    pinned = [f"summary:{key}" for key in shown]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="qtrl",
        sections=[*curves, _section("Videos", [videos])],
        settings=ws.WorkspaceSettings(x_axis=ENV_STEPS, max_runs=MOST_RUNS),
        runset_settings=ws.RunsetSettings(groupby=[expr.Config(LABEL)], pinned_columns=pinned),
    )


def _section(name: str, panels: list[Any]) -> Any:
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


def definition(workspace: "Workspace") -> str:
    """Return the workspace as the JSON that W&B keeps; the ids of its panels are drawn anew each time it is made."""
    return workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=2)


def save(workspace: "Workspace") -> str:
    """Save it as a new view of its project, and return its address.

    Raises:
        WandbError: This machine is not logged in, W&B does not answer, or it refuses.
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
