import math
import time

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torchrl.data import PrioritizedSampler

from qtrl.data import (
    CollectingPolicy,
    GaussianNoise,
    InProcessCollector,
    NStep,
    Replay,
    Schedule,
    Stream,
    transition_columns,
)
from qtrl.data.pace import Pace
from qtrl.envs import make_vector_env
from qtrl.errors import ConfigError
from qtrl.keys import ACTION, DONE, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED
from qtrl.meters import Cost, RunMeters
from qtrl.nn import PQC, HybridActor
from qtrl.process.quiet import quiet_libraries
from qtrl.quantum import efficient_su2, make_engine
from qtrl.specs import EnvSpec

pytestmark = pytest.mark.usefixtures("toy_envs")
SPEC = EnvSpec("toy_envs:Counting-v0", 3, 1)
SHOTS = 2


def make_actor():
    torch.manual_seed(0)
    block = PQC(8, 2, circuit=efficient_su2(2, reps=1), engine=make_engine("statevector"), shots=SHOTS)
    return HybridActor(3, 1, block, hidden=4, links=1)


def make_stream(
    folder,
    *,
    num_envs=1,
    total=36,
    warmup=12,
    ratio=1.0,
    capacity=100,
    seed=0,
    vector="serial",
    sampler=None,
    transform=None,
    **more,
):
    meters = RunMeters()
    policy = CollectingPolicy(make_actor(), exploration=GaussianNoise(0.0), seed=seed, stopwatch=meters.stopwatch)
    columns = transition_columns(SPEC, {"layer": (8, 2)})
    sizes = {"capacity": capacity, "batch_size": 5, "seed": seed}
    replay = Replay(columns, **sizes, storage="memory", folder=folder, sampler=sampler, transform=transform)
    schedule = Schedule(total, warmup, ratio)

    def make_collector(env_steps, state):
        envs = make_vector_env(SPEC.env_id, num_envs, seed + env_steps, vector=vector)
        return InProcessCollector(envs, policy, columns, state)

    return Stream(make_collector, policy, replay, schedule=schedule, meters=meters, **more)


def run(stream):
    return [batch for batch in stream]  # list(stream) would make room for `len(stream)`


def rows_of(stream):
    """The filled rows of the replay, oldest first; for a replay that has not wrapped around."""
    return stream.replay.buffer[: len(stream.replay)]


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("ratio", [0.5, 1, 2])
def test_as_many_updates_as_env_steps_after_warm_up_ask_for(tmp_path, num_envs, ratio):
    stream = make_stream(tmp_path, num_envs=num_envs, ratio=ratio)
    steps = [batch.env_steps for batch in stream]
    assert len(steps) == (36 - 12) * ratio
    assert steps == sorted(steps)
    assert (min(steps), max(steps)) == (12 + max(num_envs, math.ceil(1 / ratio)) if num_envs == 1 else 15, 36)
    assert (stream.env_steps, len(stream.replay)) == (36, 36)


def counted(stream, monkeypatch):
    """Let a stream count env steps and updates, and do nothing else."""
    monkeypatch.setattr(stream, "_collect", lambda: setattr(stream, "env_steps", stream.env_steps + 1))
    monkeypatch.setattr(stream.replay, "sample", lambda: None)
    monkeypatch.setattr(stream.replay, "priorities_of", lambda rows: None)
    return stream


@pytest.mark.parametrize(("ratio", "every"), [(0.1, 10), (0.05, 20), (0.3, None)])
def test_tenths_of_an_update_are_owed_exactly_however_many_and_over_breaks(tmp_path, monkeypatch, ratio, every):
    options = {"total": 20_010, "warmup": 10, "ratio": ratio}
    stream, steps = counted(make_stream(tmp_path, **options), monkeypatch), []
    for batch in stream:
        steps.append(batch.env_steps - 10)
        if len(steps) % 500 == 0:
            owed, stream._pace = stream._pace.owed, Pace(stream._schedule)
            stream._pace.owed = owed
    assert len(steps) == round(20_000 * ratio)
    assert every is None or steps == list(range(every, 20_001, every))


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("world_size", [1, 2])
def test_env_steps_are_sums_over_ranks(tmp_path, num_envs, world_size):
    stream = make_stream(tmp_path, num_envs=num_envs, world_size=world_size)
    assert len(run(stream)) == 24
    assert stream.env_steps == 36
    assert len(stream.replay) == 36 / world_size


class Nothing(LightningModule):
    """Counts its updates."""

    def __init__(self, on_step=lambda module, batch: None):
        super().__init__()
        self.automatic_optimization = False
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.on_step, self.updates = on_step, 0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        self.updates += 1
        self.on_step(self, batch)

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        return batch


def fit(stream, **module):
    quiet_libraries()
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    module = Nothing(**module)
    Trainer(accelerator="cpu", max_epochs=1, **quiet).fit(module, stream)
    return module


@pytest.mark.parametrize(
    ("num_envs", "total", "warmup", "ratio", "updates"),
    [(1, 30, 10, 1, 20), (3, 10, 4, 1, 6), (7, 22, 3, 1, 21), (7, 22, 7, 2, 42), (4, 30, 0, 1.5, 48)],
)
def test_lightning_makes_every_update_that_is_owed_also_where_env_steps_overshoot(
    tmp_path, num_envs, total, warmup, ratio, updates
):
    stream = make_stream(tmp_path, num_envs=num_envs, total=total, warmup=warmup, ratio=ratio)
    assert fit(stream).updates == updates
    assert stream.env_steps >= total


def test_lightning_collects_no_step_ahead_of_the_update(tmp_path):
    stream = make_stream(tmp_path, total=30, ratio=1)

    def follow(module, batch):
        assert batch.env_steps == stream.env_steps == len(stream.replay) == 12 + module.updates

    assert fit(stream, on_step=follow).updates == 18


@pytest.mark.parametrize(("overlap", "first"), [(False, 13), (True, 14)])
def test_each_step_acts_with_the_weights_of_the_update_before_or_with_overlap_of_the_one_before_that(
    tmp_path, overlap, first
):
    stream = make_stream(tmp_path, total=30, overlap=overlap)
    actor = stream._policy.actor

    def update(module, batch):
        with torch.no_grad():
            actor.post[-1].weight.zero_()
            actor.post[-1].bias.fill_(module.updates / 100)

    fit(stream, on_step=update)
    actions = rows_of(stream)[ACTION][:, 0]  # from row 12 on the actor's own; the first still have the first weights
    assert not torch.isclose(actions[first - 1], torch.tensor(0.01).tanh())
    torch.testing.assert_close(actions[first:], torch.tanh(torch.arange(1, 31 - first) / 100))


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("vector", ["serial", "threads"])
def test_with_overlap_only_the_age_of_the_weights_differs(tmp_path, num_envs, vector):
    plain, overlapped = (
        make_stream(tmp_path, num_envs=num_envs, vector=vector, overlap=overlap) for overlap in (False, True)
    )
    batches, others = run(plain), run(overlapped)  # nobody learns: all weights are equally old
    assert [batch.env_steps for batch in batches] == [batch.env_steps for batch in others]
    assert all((one.transitions == other.transitions).all() for one, other in zip(batches, others, strict=True))
    one_more = overlapped._policy.layers.block_cost(num_envs)  # a step is under way at the end
    for counts in ("circuits", "shots"):
        beyond = getattr(overlapped._meters.ledger.total(), counts) - getattr(plain._meters.ledger.total(), counts)
        assert beyond == getattr(one_more, counts)
    assert plain.stats.episodes.pop() == overlapped.stats.episodes.pop()


def test_with_overlap_environments_step_while_the_consumer_learns_also_at_the_end(tmp_path, monkeypatch):
    import toy_envs

    steps, step = [], toy_envs.Counting.step
    monkeypatch.setattr(toy_envs.Counting, "step", lambda self, action: steps.append(1) or step(self, action))
    stream = make_stream(tmp_path, num_envs=2, total=20, warmup=12, vector="threads", overlap=True)
    for batch in stream:
        expected = batch.env_steps + 2
        for _ in range(200):
            if len(steps) == expected:
                break
            time.sleep(0.01)
        assert len(steps) == expected
    assert (len(steps), len(stream.replay)) == (22, 20)


def test_warm_up_is_random_and_the_pairs_are_real_from_the_first_row(tmp_path):
    stream = make_stream(tmp_path, total=30, warmup=25)
    run(stream)
    rows = rows_of(stream)
    with torch.no_grad():
        stream._policy.actor(rows[OBSERVATION], torch.Generator().manual_seed(0))
    torch.testing.assert_close(rows[Q_IN], stream._policy.actor.layer.pair[0])
    assert set(rows[Q_OUT].flatten().tolist()) <= {0.0, 0.5, 1.0}  # means of two shots
    assert rows[Q_OUT].std() > 0
    assert rows[ACTION][:25].std() > 0.3
    assert rows[ACTION][25:].std() < 0.3


@pytest.mark.parametrize("num_envs", [1, 3])
def test_the_replay_holds_the_true_last_observation_and_no_termination_at_a_time_limit(tmp_path, num_envs):
    stream = make_stream(tmp_path, num_envs=num_envs, total=120)
    run(stream)
    rows = rows_of(stream)
    limits = 0
    for now, after, reward, terminated in zip(
        rows[OBSERVATION].tolist(),
        rows[NEXT_OBSERVATION].tolist(),
        rows[REWARD][:, 0].tolist(),
        rows[TERMINATED][:, 0].tolist(),
        strict=True,
    ):
        assert after == [*now[:2], now[2] + 1]
        assert reward == after[2] <= 4
        assert terminated == (after[2] == after[1])
        limits += after[2] == 4 and not terminated
    assert limits > 3


@pytest.mark.parametrize("num_envs", [1, 3])
def test_circuits_of_collection_are_booked_and_none_for_anything_else(tmp_path, num_envs):
    stream = make_stream(tmp_path, num_envs=num_envs)
    run(stream)
    ledger = stream._meters.ledger
    assert ledger.total() == Cost(36, 36 * SHOTS)
    assert set(ledger.seconds) == {"collect"}
    assert 0 < ledger.seconds["collect"] < stream._meters.stopwatch.seconds["policy"]


def test_time_is_split_into_env_policy_and_replay(tmp_path):
    stream = make_stream(tmp_path)
    run(stream)
    seconds = stream._meters.stopwatch.seconds
    assert min(seconds[name] for name in ("env", "policy", "replay", "warmup", "learning")) > 0
    whole = seconds["warmup"] + seconds["learning"]
    assert seconds["env"] + seconds["policy"] + seconds["replay"] < whole


def test_every_collected_step_is_reported_warm_up_included(tmp_path):
    stream, seen = make_stream(tmp_path, num_envs=3), []
    stream.listen(seen.append)
    run(stream)
    assert seen == list(range(3, 37, 3))


def test_environments_are_closed_when_the_consumer_stops(tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr("toy_envs.Counting.close", lambda self: closed.append(1), raising=False)
    iterator = iter(make_stream(tmp_path, num_envs=2))
    next(iterator)
    closed.clear()  # one was made to learn its sizes
    iterator.close()
    assert len(closed) == 2


def take(stream, count):
    return [batch for batch, _ in zip(stream, range(count), strict=False)]


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("ratio", [0.5, 1, 2])
def test_a_restored_stream_makes_the_updates_that_are_left(tmp_path, ratio, overlap):
    stream = make_stream(tmp_path, ratio=ratio, overlap=overlap)
    iterator, done = iter(stream), 7
    for _ in range(done):
        next(iterator)
    stream.commit()
    state = stream.state_dict()
    iterator.close()
    back = make_stream(tmp_path, ratio=ratio, seed=4, overlap=overlap)
    back.load_state_dict(state)
    assert (back.env_steps, len(back.replay)) == (stream.env_steps, len(stream.replay))
    assert torch.equal(rows_of(back)[OBSERVATION], rows_of(stream)[OBSERVATION])
    assert back.stats.episodes.count == stream.stats.episodes.count > 0
    assert len(run(back)) == 24 * ratio - done
    assert (back.env_steps, len(back.replay)) == (36, 36)


CHOICES = {
    "plain": dict,
    "overlap": lambda: {"overlap": True},
    "prioritized": lambda: {"sampler": PrioritizedSampler(100, alpha=0.7, beta=0.5)},
    "n-step": lambda: {"transform": NStep(3, 0.9)},
}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("num_envs", [1, 3])
def test_a_restored_stream_goes_on_in_the_middle_of_its_episodes(tmp_path, num_envs, choice):
    options = CHOICES[choice]
    whole, stream = (
        make_stream(tmp_path / name, num_envs=num_envs, total=72, **options()) for name in ("whole", "part")
    )
    run(whole)
    iterator = iter(stream)
    for _ in range(7):
        next(iterator)
    stream.commit()
    state = stream.state_dict()
    iterator.close()
    back = make_stream(tmp_path / "part", num_envs=num_envs, total=72, seed=5, **options())
    back.load_state_dict(state)
    run(back)
    assert (rows_of(back) == rows_of(whole)).all()
    assert back.stats.episodes.pop() == whole.stats.episodes.pop()
    assert back.stats.largest_reward == whole.stats.largest_reward > 0


def test_an_environment_that_cannot_go_on_begins_anew_and_is_named(tmp_path, capsys):
    whole, stream = (make_stream(tmp_path / name, num_envs=2, total=72) for name in ("whole", "part"))
    run(whole)
    take(stream, 6)
    stream.commit()
    state = stream.state_dict()
    state["ranks"][0]["collector"]["envs"]["columns"]["observation"][1] += 1.0
    back = make_stream(tmp_path / "part", num_envs=2, total=72)
    back.load_state_dict(state)
    run(back)
    said = "qtrl: rank 0 cannot bring environments 1 back into their episodes: they begin new ones"
    assert said in capsys.readouterr().err
    (one, other), (same, anew) = (rows_of(made)[OBSERVATION][:, 0].view(-1, 2).T for made in (whole, back))
    before = len(stream.replay) // 2
    assert torch.equal(same, one)
    assert torch.equal(anew[:before], other[:before])
    assert anew[before] != other[before]


def test_lost_rows_do_not_reach_the_replay_and_their_episodes_do_not_count(tmp_path, monkeypatch):
    stream = make_stream(tmp_path, num_envs=2, total=12, warmup=10)
    steps, collect = [], InProcessCollector.collect

    def lose(self):
        rows = collect(self)
        steps.append(rows)
        if len(steps) == 3:
            self.lost[1] = True
            rows[DONE][1] = True
        return rows

    monkeypatch.setattr(InProcessCollector, "collect", lose)
    run(stream)
    assert (stream.env_steps, stream.stats.lost_steps, len(stream.replay)) == (12, 1, 11)
    kept = torch.cat([rows[OBSERVATION] if i != 2 else rows[OBSERVATION][:1] for i, rows in enumerate(steps)])
    assert torch.equal(rows_of(stream)[OBSERVATION], kept)


@pytest.mark.parametrize(("capacity", "rows"), [(100, 12), (5, 5)])
def test_without_saved_rows_a_restored_stream_collects_before_it_learns_with_its_own_policy(tmp_path, capacity, rows):
    options = {"save_replay": False, "capacity": capacity}
    stream = make_stream(tmp_path, **options)
    take(stream, 4)
    stream.commit()
    assert not list(tmp_path.iterdir())
    back = make_stream(tmp_path, **options)
    back.load_state_dict(stream.state_dict())
    start = back.env_steps
    steps = [batch.env_steps for batch in back]
    assert steps == list(range(start + rows + 1, 37))
    assert not back._policy.random_actions


def test_without_saved_rows_updates_owed_at_the_break_are_not_made_from_nothing(tmp_path, capsys):
    options = {"save_replay": False, "num_envs": 2, "ratio": 2}
    stream = make_stream(tmp_path, **options)
    take(stream, 1)
    state = stream.state_dict()
    assert state["owed"] == 2
    back = make_stream(tmp_path, **options)
    back.load_state_dict(state)
    start = back.env_steps
    assert f"env steps {start} to {start + 12} go into filling a new one" in capsys.readouterr().err
    assert [batch.env_steps for batch in back] == [step for step in range(start + 14, 37, 2) for _ in range(4)]


def test_without_saved_rows_lost_ones_do_not_put_learning_off(tmp_path, monkeypatch):
    stream = make_stream(tmp_path, save_replay=False)
    take(stream, 4)
    back = make_stream(tmp_path, save_replay=False)
    back.load_state_dict(stream.state_dict())
    start = back.env_steps
    collect = InProcessCollector.collect

    def lose(self):
        rows, self.lost = collect(self), np.array([back.env_steps < start + 5])
        return rows

    monkeypatch.setattr(InProcessCollector, "collect", lose)
    assert next(iter(back)).env_steps == start + 13
    assert (back.stats.lost_steps, len(back.replay)) == (5, 8)


def test_a_total_that_leaves_nothing_to_learn_is_told(tmp_path):
    stream = make_stream(tmp_path, save_replay=False)
    take(stream, 4)
    back = make_stream(tmp_path, save_replay=False, total=20)
    with pytest.raises(ConfigError, match="total_env_steps=20 leaves nothing to learn: .* env steps 17 to 29 go into"):
        back.load_state_dict(stream.state_dict())


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ((10, 10, 1), "warmup_env_steps=10 must be .* below total_env_steps=10"),
        ((10, -1, 1), "warmup_env_steps=-1"),
        ((10, 5, 0), "updates_per_env_step=0 must be above 0"),
    ],
)
def test_impossible_schedules_are_refused(schedule, complaint):
    with pytest.raises(ConfigError, match=complaint):
        Schedule(*schedule)


def test_episode_returns_of_the_counting_environment(tmp_path):
    stream = make_stream(tmp_path, num_envs=2, total=60)
    run(stream)
    ended = stream.stats.episodes.pop()
    assert len(ended) == stream.stats.episodes.count > 10
    assert all(total == length * (length + 1) / 2 for total, length in ended)


def test_every_observation_is_shown_once_and_lost_ones_are_not(tmp_path):
    seen = []
    stream = make_stream(tmp_path, num_envs=3, observe=seen.append)
    run(stream)
    assert torch.equal(torch.cat(seen), rows_of(stream)[OBSERVATION])


def test_minibatches_bring_recent_rows_where_they_are_wanted(tmp_path):
    for batch in make_stream(tmp_path, recent_rows=2):
        newest = batch.env_steps
        assert batch.recent.shape == batch.transitions.shape
    assert newest == 36
    assert all(batch.recent is None for batch in make_stream(tmp_path / "other"))
