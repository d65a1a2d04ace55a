"""One checkpoint tested under several conditions, on the same cases: is the quantum layer used at all?"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from torch import Tensor

from qtrl.analysis.drawing.frozen_policy import draw_frozen_policy, note, print_table, write_conditions
from qtrl.analysis.statistics.paired import PairedComparison, compare_paired, verdict
from qtrl.commands.agent import check_options, load_agent
from qtrl.commands.conditions import OWN, Condition, UnfitConditionError, read_conditions
from qtrl.commands.evaluation import new_result
from qtrl.commands.subject import Subject
from qtrl.config.secrets import refuse_secrets
from qtrl.errors import ConfigError
from qtrl.files.atomic import write_json
from qtrl.nn.stand_ins import Trained
from qtrl.seeding import seed_for


def run_ablation(cfg: DictConfig) -> float:
    """Test an agent under the conditions of `cfg.ablation`, and return the mean return of the run as it is.

    Prints the table and writes `eval/<time>-<name>.{json,csv,png}`, the JSON anew after each condition, so that an
    ablation that is stopped keeps what it has.
    """
    refuse_secrets(cfg)
    check_options(cfg, fewest_episodes=5)  # of fewer a bootstrap says nothing; of these it says little
    if cfg.video:
        raise ConfigError("video=true does not go with an ablation: leave it out to see the run as it is")
    if cfg.export is not None:
        raise ConfigError("export does not go with an ablation: leave one of them out")
    conditions = read_conditions(cfg.ablation)
    return Ablation(load_agent(cfg), cfg).run(conditions)


class Ablation:
    """The conditions tested so far, the run as it is first, and the files with their results, named by the config."""

    def __init__(self, subject: Subject, options: DictConfig) -> None:
        self._tested: list[PairedComparison] = []
        self._subject, self._options, self._terms = subject, options, subject.terms
        self._name = Path(HydraConfig.get().runtime.choices["ablation"]).name
        self._layers = list(subject.layers.values())
        if not self._layers:
            kind = type(subject.network).__name__
            raise ConfigError(f"{kind} has no quantum layer, so there is nothing to put in the place of its block")
        self._path = new_result(subject, f"-{self._name}.json")
        self._facts = subject.facts(options)
        self._outcomes: list[dict[str, Any]] = []
        self._left_out: dict[str, str] = {}
        self._seed = seed_for(options.seed, "bootstrap")

    def run(self, conditions: list[Condition]) -> float:
        """Test the run as it is, then under each condition that applies; return the score of the former."""
        layers = self._layers
        untested = [Trained(layer.block, layer.estimator, torch.zeros(1, layer.block.n_out)) for layer in layers]
        fit = self._fitting(conditions, untested)
        q_out: list[list[Tensor]] = [[] for _ in layers]
        with ExitStack() as recording:
            for layer, kept in zip(layers, q_out, strict=True):  # one tensor (B, n_out) for each call
                hook = layer.block.register_forward_hook(lambda *call, kept=kept: kept.append(call[-1]))
                recording.enter_context(hook)
            own = self._test(Condition(OWN), of=1 + len(fit))
        trained = [Trained(had.block, had.estimator, torch.cat(q)) for had, q in zip(untested, q_out, strict=True)]
        for condition in fit:
            for layer, parts in zip(layers, trained, strict=True):
                layer.block = condition.make(self._subject, parts)
            self._test(condition, of=1 + len(fit))
        for layer, parts in zip(layers, trained, strict=True):
            layer.block = parts.block
        self._finish()
        return own

    def _finish(self) -> None:
        found, terms = verdict(self._tested[0], self._tested[1:], seed=self._seed, terms=self._terms), self._terms
        counted = f"{self._facts['env_steps']:,} {terms.counts}"
        of = "" if self._subject.exported else f"{self._options.checkpoint}.ckpt, "
        title = f"{self._subject.run_dir.name}: {of}{counted}"
        csv, picture = (self._path.with_suffix(suffix) for suffix in (".csv", ".png"))
        print_table(self._tested, title=title, terms=terms)
        for name, reason in self._left_out.items():
            print(f"qtrl: {name} is left out: {reason}")
        print(f"qtrl: {found}", flush=True)
        self._write("complete", verdict=found, note=note(len(self._tested[0].returns), terms))
        write_conditions(self._tested, csv, terms=terms)
        draw_frozen_policy(self._tested, picture, title=title, terms=terms)
        print(f"qtrl: {self._path}, {csv.name}, {picture.name}")

    def _fitting(self, conditions: list[Condition], trained: list[Trained]) -> list[Condition]:
        """Make every condition's block once, so that a mistake is told before anything is tested."""
        fit = []
        for condition in conditions:
            try:
                for parts in trained:
                    condition.make(self._subject, parts)
            except UnfitConditionError as error:
                self._left_out[condition.name] = str(error)
            else:
                fit.append(condition)
        return fit

    def _test(self, condition: Condition, *, of: int) -> float:
        tested = self._subject.test(self._options)
        own = self._tested[0].returns if self._tested else tested.scores
        paired = compare_paired(condition.name, tested.scores, own, seed=self._seed, uninformed=condition.uninformed)
        self._tested.append(paired)
        found = {name: getattr(paired, name) for name in ("difference", "low", "high", "finding")}
        self._outcomes.append(vars(condition) | found | tested.outcome)
        scores = f"{self._terms.score} {paired.return_mean:.1f} ± {paired.return_std:.1f}"
        print(f"qtrl: {len(self._tested)} of {of}: {paired.name}, {scores}", file=sys.stderr, flush=True)
        self._write(f"{len(self._tested)} of {of} conditions")
        return tested.score

    def _write(self, status: str, **words: str) -> None:
        head = {"ablation": self._name, "status": status} | words | self._facts
        write_json(self._path, head | {"conditions": self._outcomes, "left_out": self._left_out})
