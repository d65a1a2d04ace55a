"""A W&B workspace as code: what its panels show, and over what."""

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from qtrl.errors import WandbError
from qtrl.keys import ENV_STEPS, PURPOSES
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
SUMMARIES = ("status", "return_mean", "last_ten_return_mean", "best_return_mean", "env_steps_per_second")
"""Keys of `summary.json` that the list of runs shows."""
SAVE_SECONDS = 40
"""How long the server may take; W&B itself gives up on one call after 19."""


class Plot(NamedTuple):
    """One panel over env steps with a curve of each metric for each label, all in one unit."""

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
"""Panels of curves by section, in the order in which they appear."""


def workspace(entity: str, project: str) -> "Workspace":
    """Define the workspace of a project of a W&B user or team; nothing is read or sent.

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

    sections = [_section(name, [_curves(plot) for plot in plots]) for name, plots in SECTIONS.items()]
    videos = panels.MediaBrowser(title="Test episodes", media_keys=[VIDEO], num_columns=COLUMNS)
    pinned = [f"summary:{key}" for key in SUMMARIES]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="qtrl",
        sections=[*sections, _section("Videos", [videos])],
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
