import pytest

from qtrl.config.validation.misplaced import refuse_misplaced, top_keys
from qtrl.errors import ConfigError

MISPLACED = {
    (
        "eval",
        "env.id=Other-v0",
    ): "unknown key 'env.id'.*it belongs to a run, and qtrl.eval takes it from",
    ("eval", "+env.id=Other-v0"): "unknown key 'env.id'",
    ("eval", "env=humanoid"): "unknown key 'env'",
    ("eval", "block.shots=10"): r"unknown key 'block.shots': did you mean shots\?",
    ("eval", "run_dir=x"): r"did you mean run\?",
    ("eval", "+foo=1"): "unknown key 'foo'",
    ("export", "+too=x"): r"unknown key 'too': did you mean to\?",
    ("export", "shots=10"): "unknown key 'shots'.*it belongs to a run, and qtrl.export takes it from",
    ("report", "seed=1"): "unknown key 'seed'",
    ("report", "+out_dir=1"): r"unknown key 'out_dir': did you mean out\?",
    ("train", "hydra.run.dir=x"): "has no effect: the folder of a run is run_dir=DIR",
    ("train", "logger=null"): "logger=null chooses nothing: write logger=csv",
    ("train", "logger=[]"): r"logger=\[\] chooses nothing: write logger=csv",
    ("train", "~logger"): "~logger leaves nothing: write logger=csv",
    ("train", "env="): "env= chooses nothing: leave env out for the default, or take one of humanoid, pendulum",
    ("train", "+experimant=x"): r"did you mean experiment\?",
    ("train", "hydra.sweep.dir=x"): "has no effect without -m",
    ("train", "sweep=seeds"): "has no effect without -m",
    ("train", "launcher=joblib"): "has no effect without -m",
    ("train", "--experiment"): "--experiment is no option: write experiment=VALUE",
    ("train", "--total-env-steps=100"): "is no option: write total_env_steps=100",
    ("tune", "--jobs"): "is no option: write jobs=VALUE",
    ("tune", "+jobz=2"): "unknown key 'jobz'",
}
FINE = {
    "eval": [
        "run=x",
        "engine=numba",
        "+engine.candidates=[numba]",
        "ablation=frozen_policy",
        "-m",
        "--help",
        "trust=[a]",
    ],
    "train": [
        "algo.tau=0.1",
        "-m",
        "hydra.sweep.dir=x",
        "sweep=seeds",
        "--cfg=job",
        "+experiment=x",
        "data/sampler=prioritized",
        "control=td3",
        "~label",
    ],
    "tune": ["trials=3", "seed=1", "algo.tau=0.1", "space=surrogate", "+space.algo.tau={}", "optim@algo.x=adam"],
    "export": ["run=x", "to=y", "checkpoint=best", "format=onnx", "quantum=exact", "trust=[a]"],
    "report": ["runs=x", "out=y", "primary=[a]"],
}


@pytest.mark.parametrize(("command", "override"), MISPLACED)
def test_what_a_command_does_not_read_is_refused(command, override):
    with pytest.raises(ConfigError, match=MISPLACED[command, override]):
        refuse_misplaced([override], command)


@pytest.mark.parametrize("command", FINE)
def test_what_it_reads_passes(command):
    refuse_misplaced(FINE[command], command)


def test_the_runs_of_a_multirun_have_folders_of_their_own():
    with pytest.raises(ConfigError, match=r"run_dir=x is the folder of one run, .* write hydra.sweep.dir=x"):
        refuse_misplaced(["-m", "seed=0,1", "run_dir=x"], "train")
    for folders in ("run_dir=x,y", "run_dir=x/${seed}"):
        refuse_misplaced(["-m", "seed=0,1", folders], "train")


def test_a_search_has_the_keys_of_a_run_and_its_own():
    assert top_keys("train") | {"trials", "space"} <= top_keys("tune")
