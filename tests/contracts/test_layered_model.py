"""Any model with quantum layers keeps this contract, with every estimator and every block of families.py."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from families import BLOCKS, CIRCUIT, ESTIMATORS, WITHOUT_GRADIENT
from torch import Tensor, nn

from qtrl.nn import (
    PQC,
    PairBuffer,
    QuantumLayer,
    approximated,
    classical_parameters,
    drawing,
    estimator_parameters,
    fit_quantum_layers,
    load_pair_buffers,
    local_qtdnn,
    pair_buffers_state,
    quantum_layers,
)
from qtrl.quantum import make_engine

FEATURES, CLASSES, BATCH = 3, 2, 6
MakeLayer = Callable[[], QuantumLayer]


class Parallel(nn.Module):
    """Two layers side by side in a ModuleDict, and links around them."""

    def __init__(self, make: MakeLayer) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({"left": make(), "right": make()})
        left = self.branches["left"]
        self.pre = nn.Linear(FEATURES, 2 * left.n_in)
        self.post = nn.Linear(2 * left.n_out + FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        halves = zip(self.branches.values(), self.pre(x).chunk(2, dim=-1), strict=True)
        return self.post(torch.cat([*(layer(q_in) for layer, q_in in halves), x], dim=-1))


class Twice(nn.Module):
    """One layer, used twice in a forward pass."""

    def __init__(self, make: MakeLayer) -> None:
        super().__init__()
        self.layer = make()
        self.pre, self.between = nn.Linear(FEATURES, self.layer.n_in), nn.Linear(self.layer.n_out, self.layer.n_in)
        self.post = nn.Linear(self.layer.n_out, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.post(self.layer(self.between(self.layer(self.pre(x)))))


def sequence(make: MakeLayer, depth: int = 1) -> nn.Sequential:
    layers = [make() for _ in range(depth)]
    sizes = [FEATURES, *(layer.n_out for layer in layers)]
    inner = [nn.Sequential(nn.Linear(n, layer.n_in), layer) for n, layer in zip(sizes, layers, strict=False)]
    return nn.Sequential(*inner, nn.Linear(sizes[-1], CLASSES))


MODELS = {
    "sequence": sequence,
    "series": lambda make: sequence(make, depth=2),
    "parallel": Parallel,
    "twice": Twice,
}


def with_estimator(name: str) -> MakeLayer:
    def make() -> QuantumLayer:
        block = PQC(4, 2, circuit=CIRCUIT, engine=make_engine("statevector"), shots=20)
        return QuantumLayer(block, ESTIMATORS[name](), PairBuffer(50, 4, 2))

    return make


def with_block(name: str) -> MakeLayer:
    def make() -> QuantumLayer:
        block = BLOCKS[name]()
        return QuantumLayer(block, local_qtdnn(block.n_in, block.n_out), PairBuffer(50, block.n_in, block.n_out))

    return make


LAYERS = {f"gradient {name}": with_estimator(name) for name in ESTIMATORS}
LAYERS |= {f"block {name}": with_block(name) for name in BLOCKS}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(BATCH, FEATURES, generator=seeded(1))


@pytest.fixture(params=LAYERS)
def layer_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, layer_name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MODELS[request.param](LAYERS[layer_name])


def answer(model: nn.Module, x: Tensor) -> Tensor:
    with drawing(model, seeded()), torch.no_grad():
        return model(x)


def moved(parameters: list[nn.Parameter], before: list[Tensor]) -> bool:
    return not all(torch.equal(parameter, old) for parameter, old in zip(parameters, before, strict=True))


def test_each_phase_moves_its_own_parameters_and_leaves_no_gradient_in_the_others(
    layer_name: str, model: nn.Module, x: Tensor
) -> None:
    fitted, classical, layers = estimator_parameters(model), classical_parameters(model), quantum_layers(model)
    learner = torch.optim.SGD(classical, lr=0.1)
    fitter = torch.optim.SGD([{"params": fitted}], lr=0.1)

    runs = 2 if isinstance(model, Twice) else 1
    answer(model, x)
    for layer in layers.values():
        assert len(layer.buffer) == runs * BATCH
        assert all(torch.equal(*pair) for pair in zip(layer.buffer.newest(BATCH), layer.pair, strict=True))

    before = [parameter.detach().clone() for parameter in classical]
    results = fit_quantum_layers(model, fitter, rows=8, generator=seeded())
    assert set(results) == {name for name, layer in layers.items() if layer.estimator.trainable}
    assert not moved(classical, before)
    assert all(parameter.grad is None for parameter in classical)
    fitter.zero_grad()

    before = [parameter.detach().clone() for parameter in fitted]
    with drawing(model, seeded()):
        with approximated(model):
            loss = F.cross_entropy(model(x), torch.arange(BATCH) % CLASSES)
        loss.backward()
    learner.step()
    assert not moved(fitted, before) and all(parameter.requires_grad for parameter in fitted)
    assert all(parameter.grad is None for parameter in fitted)
    entry = next(m for m in model.modules() if isinstance(m, nn.Linear) and m.in_features == FEATURES)
    blind = layer_name in {*(f"gradient {name}" for name in WITHOUT_GRADIENT), "block rbg", "block zeros"}
    assert blind or entry.weight.grad.any()
    assert all(len(layer.buffer) == runs * BATCH for layer in layers.values())


def test_copies_and_states_give_the_same_model(model: nn.Module, x: Tensor) -> None:
    out = answer(model, x)
    twins = {"deepcopy": copy.deepcopy(model), "pickle": pickle.loads(pickle.dumps(model))}
    assert not [name for name in model.state_dict() if "buffer" in name or "pair" in name]
    for twin in twins.values():
        assert all(len(layer.buffer) == 0 and layer.pair is None for layer in quantum_layers(twin).values())
        assert torch.equal(answer(twin, x), out)
    twin = copy.deepcopy(model)
    torch.nn.utils.vector_to_parameters(torch.zeros(sum(p.numel() for p in model.parameters())), twin.parameters())
    twin.load_state_dict(model.state_dict(), strict=True)
    load_pair_buffers(twin, pair_buffers_state(model))
    assert torch.equal(answer(twin, x), out)


def test_it_works_in_double_precision_in_both_modes_and_without_a_batch(model: nn.Module, x: Tensor) -> None:
    model = model.double().eval()
    assert answer(model, x.double()).dtype == torch.float64
    assert answer(model, x[0].double()).shape == (CLASSES,)
    assert answer(model, x[:0].double()).shape == (0, CLASSES)
    with approximated(model), drawing(model, seeded()):
        assert model.train()(x.double().expand(2, -1, -1)).shape == (2, BATCH, CLASSES)
