"""The names that the configs of qtrl give to `_target_`, and where each may stand in a run's config."""

CIRCUITS = ("qtrl.quantum.data_reuploading", "qtrl.quantum.efficient_su2", "qtrl.quantum.frozen")
ENGINES = ("qtrl.quantum.make_engine",)
OPTIMIZERS = ("qtrl.algos.FusedAdam", "torch.optim.AdamW")

TARGETS: dict[str, tuple[str, ...]] = {
    "actor": ("qtrl.nn.HybridActor", "qtrl.nn.MLPActor"),
    "algo": ("qtrl.algos.TD3",),
    "algo.actor_optimizer": OPTIMIZERS,
    "algo.critic_optimizer": OPTIMIZERS,
    "algo.surrogate_optimizer": OPTIMIZERS,
    "block": (
        "qtrl.nn.Bernoulli",
        "qtrl.nn.FC",
        "qtrl.nn.FCMatched",
        "qtrl.nn.PQC",
        "qtrl.nn.RBG",
        "qtrl.nn.Shuffled",
        "qtrl.nn.Zeros",
    ),
    "block.circuit": CIRCUITS,
    "block.circuit.family": CIRCUITS,
    "block.engine": ENGINES,
    "circuit": CIRCUITS,
    "circuit.family": CIRCUITS,
    "engine": ENGINES,
    "logger": ("qtrl.loggers.WandbRun",),
    "surrogate": (
        "qtrl.nn.ExactEstimator",
        "qtrl.nn.ParameterShiftEstimator",
        "qtrl.nn.QtDNNEstimator",
        "qtrl.nn.SPSAEstimator",
        "qtrl.nn.StraightThroughEstimator",
        "qtrl.nn.ZeroEstimator",
    ),
    "trainer": ("lightning.pytorch.Trainer",),
}
"""Exact names by the key of the node that they make; no prefixes, which would allow what a module imports."""
