"""Strategies of what a user may write on the command line: sound overrides, and others that must be refused."""

from hypothesis import strategies as st

from qtrl.config.validation.limits import CHOICES, NUMBERS

TINY = (
    "debug=smoke",
    "logger=csv",
    "total_env_steps=30",
    "warmup_env_steps=20",
    "test_every_env_steps=15",
    "checkpoint_every_env_steps=15",
    "callbacks.test_max_episode_steps=5",
    "callbacks.probe_rows=4",
)


def one_of(key, *values):
    return st.sampled_from(values).map(lambda value: f"{key}={value}")


ANY_BLOCK = {
    "seed": one_of("seed", 0, 1, 2**31, 2**32 - 1),
    "num_envs": one_of("num_envs", 1, 2, 3),
    "updates": one_of("updates_per_env_step", 0.25, 0.5, 1, 1.5, 2),
    "log": one_of("callbacks.log_every_env_steps", 1, 7, 1000),
    "probe": one_of("callbacks.probe_every_env_steps", "null", 10, 15),
    "checkpoint": one_of("checkpoint_every_env_steps", 1, 7, 100),
    "replay kept": one_of("checkpoint_replay", "last", "none"),
    "precision": one_of("matmul_precision", "highest", "high", "medium"),
    "deterministic": one_of("deterministic", "true", "false"),
    "metric": one_of("optimized_metric", "test/return_mean", "test/best_return"),
    "limit": one_of("env.max_episode_steps", "null", 1, 4, 50),
    "vector": one_of("env.vector", "serial", "threads"),
    "rows": one_of("data.batch_size", 1, 3, 16),
    "ring": one_of("data.capacity", 1, 5, 25, 10_000),
    "storage": one_of("data.storage", "memory", "memmap"),
    "sampler": one_of("data/sampler", "prioritized"),
    "transform": one_of("data/transform", "n_step"),
    "width": one_of("actor.hidden", 1, 8),
    "width of critics": one_of("critic.hidden", 1, 8),
    "links": one_of("actor.links", 0, 3),
    "critics": one_of("critic", "twin", "layer_norm", "categorical"),
    "gamma": one_of("algo.gamma", 0, 0.9, 1),
    "tau": one_of("algo.tau", 1e-6, 1),
    "delay": one_of("algo.policy_delay", 1, 3),
    "noise": one_of("exploration.noise", 0, 5),
    "target noise": one_of("algo.target_noise", 0, 2),
    "clip": one_of("algo.target_noise_clip", 0, 0.1),
    "falling rates": one_of("algo.lr_decay", "null", "linear", "cosine"),
    "optimizer": one_of("optim@algo.critic_optimizer", "adam", "adamw"),
    "rate": one_of("algo.actor_optimizer.lr", 0, 1e-5),
    "observations": one_of("normalize", "null", "running"),
    "scale": one_of("actor.angle_scale", 1e-3, 3.14),
    "bound": one_of("actor.angle_bound", "null", "tanh", "norm"),
    "bound of links": one_of("actor.bounded_links", "false", "true"),
    "center": one_of("actor.q_out_center", 0, 0.5),
    "loudness": one_of("actor.q_out_scale", 0.1, 10),
    "base": one_of("circuit.base", "zero", "plus"),
    "noise of angles": one_of("exploration.angle_noise", 0, 0.1),
    "circuit": one_of("circuit", "efficient_su2", "data_reuploading", "fixed_angles", "no_entangler"),
    "qubits": one_of("circuit.n_qubits", 1, 2, 4),
    "layers": one_of("circuit.reps", 1, 2),
    "tags": one_of("tags", "[]", "[a,b]"),
}
PQC_ONLY = {
    "engine": one_of("engine", "auto", "numba", "reference", "statevector"),
    "readout": one_of("block.readout", "sample", "mean", "majority", "most_probable", "expectation"),
    "shots": one_of("block.shots", 1, 2, 7),
    "value": one_of("gradient.value", "surrogate", "block"),
    "pairs": one_of("gradient.pairs", "stored", "recent", "fresh", "mixed"),
    "newest": one_of("gradient.window", 1, 10),
    "run anew": one_of("gradient.fresh_rows", "null", 1, 100),
    "noise of these": one_of("gradient.fresh_noise", 0, 0.1),
    "path": one_of("gradient.linear", "false", "true"),
    "middle": one_of("gradient.centered", "false", "true"),
    "fits": one_of("gradient.fit_every_updates", 1, 3),
    "epochs": one_of("gradient.fit_epochs", 1, 2),
    "its width": one_of("gradient.hidden", "null", 2),
}


def some(choices):
    """Some of the choices, in any order."""
    return st.lists(st.sampled_from(sorted(choices)), unique=True, max_size=8).flatmap(
        lambda names: st.tuples(*(choices[name] for name in names))
    )


estimators = one_of("gradient", "exact", "parameter_shift", "spsa", "straight_through", "zero")
blocks = one_of("experiment", "pendulum_fc", "pendulum_rbg", "pendulum_zeros")
sound = st.one_of(
    st.tuples(st.just(("experiment=pendulum_pqc",)), some(ANY_BLOCK | PQC_ONLY)),
    st.tuples(st.tuples(st.just("experiment=pendulum_pqc"), estimators), some(ANY_BLOCK)),
    st.tuples(st.tuples(blocks), some(ANY_BLOCK)),
).map(lambda parts: (*parts[0], *parts[1]))

NOT_OF_THIS_RUN = {"num_threads", "gradient.shots", "gradient.step", "gradient.repetitions"}
ANY_NUMBER_WILL_DO = {"actor.q_out_center"}
keys = st.sampled_from(sorted({*NUMBERS, *CHOICES} - NOT_OF_THIS_RUN - ANY_NUMBER_WILL_DO))
text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
not_values = st.one_of(
    st.sampled_from(["-1", "-0.5", "1e400", "-.inf", ".nan", "nan", "0x", "[]", "{}", "[1,2]", "{a: 1}", "''", "${x}"]),
    st.sampled_from(
        ["${oc.env:HOME}", "${seed", "${total_env_steps}${}", "???", "\\", '"', "'", "a,b", "1,2", "=", "%"]
    ),
    st.integers(1, 60).map(lambda depth: "[" * depth + "1" + "]" * depth),
    st.integers(1, 60).map(lambda depth: "[" * depth),
    st.integers(1, 30).map(lambda depth: "{a:" * depth + "1" + "}" * depth),
    text.map(lambda word: f"x{word}"),
)
unsound = st.one_of(
    st.tuples(keys, not_values).map("=".join),
    text.map(lambda word: f"algo.x{word}=1"),
    text.map(lambda word: f"x{word}"),
    st.sampled_from(["env", "block", "circuit", "engine", "gradient", "algo", "data", "trainer", "callbacks"]).flatmap(
        lambda group: text.map(lambda word: f"{group}=x{word}")
    ),
    st.sampled_from(["", "=", "=1", "seed", "~seed", "~algo", "~block", "+seed=1", "++seed=x", "a.b.c=1"]),
)
