"""What runs on an accelerator must not wait for it: torch's device `meta` stands for one where there is none."""

import contextlib
import pickle
import warnings
from dataclasses import is_dataclass

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qtrl.quantum import GATES, READOUTS, Circuit, Gate, efficient_su2, make_engine

EVERY_GATE = Circuit(
    4,
    tuple(
        Gate(name, tuple(range(spec.n_qubits)), tuple(range(spec.n_angles)))
        for name, spec in GATES.items()
        for _ in range(2)
    ),
    constants=(0.5,),
)
CIRCUITS = {"efficient_su2": efficient_su2(7, 2), "every_gate": EVERY_GATE, "no_gate": Circuit(2, ())}
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "item"}


class Watch(TorchDispatchMode):
    """Notes operations that read a number or count something, and those on tensors that come from the host.

    From the host comes what is neither `given` nor a result of an operation: torch shows no operation for a list that
    indexes a tensor or is made into one. What goes to the host fails by itself. A single number, such as a Python
    scalar that a gradient needs again, does no harm: it travels with the launch of a kernel.
    """

    def __init__(self, *given):
        super().__init__()
        self.seen, self.held, self.known = [], [], set()
        self.know(given)

    def know(self, tensors):
        self.held += tensors  # so that no storage is taken for another one
        self.known |= {tensor.untyped_storage()._cdata for tensor in tensors}

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        name = operation._overloadpacket.__name__
        for tensor in tensors_in((arguments, keywords)):
            number = tensor.ndim == 0 and tensor.device.type == "cpu" and name not in {"_to_copy", "copy_"}
            if not number and tensor.untyped_storage()._cdata not in self.known:
                self.seen.append(f"{name} of a tensor from the host")
        if name in WAITING:
            self.seen.append(name)
        results = operation(*arguments, **(keywords or {}))
        self.know(tensors_in(results))
        return results


def tensors_in(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def tensors_of(executable):
    """Find the tensors that an executable holds, in dictionaries, tuples and dataclasses."""
    found, waiting = [], [vars(executable)]
    while waiting:
        held = waiting.pop()
        if isinstance(held, torch.Tensor):
            found.append(held)
        elif isinstance(held, dict):
            waiting += held.values()
        elif isinstance(held, tuple):
            waiting += held
        elif is_dataclass(held):
            waiting += vars(held).values()
    return found


def every_hook(executable, angles):
    places = executable._places(angles)
    probabilities, expectations = executable._probabilities(places), executable._expectations(places)
    if angles.requires_grad:
        (probabilities.sum() + expectations.sum()).backward()
    with torch.no_grad():
        executable._bits(executable._sample(places, 10, None), angles.dtype)
        executable._ones(places, 10, None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CIRCUITS)
def test_statevector_neither_waits_for_the_device_nor_copies_to_it_after_the_first_call(name, dtype):
    executable = make_engine("statevector").prepare(CIRCUITS[name])
    angles = torch.zeros(3, executable.circuit.n_angles, dtype=dtype, device="meta")
    every_hook(executable, angles)
    with Watch(angles, *tensors_of(executable)) as watch:
        every_hook(executable, angles.requires_grad_(executable.circuit.n_angles > 0))
    assert not watch.seen


@pytest.mark.parametrize("name", GATES)
def test_matrices_of_gates_are_made_on_the_device(name):
    with Watch() as watch:  # the angles are a result of `zeros`
        matrix = GATES[name].matrix(torch.zeros(2, GATES[name].n_angles, device="meta"))
    assert not watch.seen and matrix.shape == (2, *[2 ** GATES[name].n_qubits] * 2)


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x + torch.tensor([1.0]).to("meta"),
        lambda x: x[:, [0]],
        lambda x: x + torch.tensor([1.0], device="meta"),
        lambda x: x.nonzero(),
        lambda x: x.sum().item(),
    ],
)
def test_the_watch_sees_what_waits(waits):
    with Watch() as watch, contextlib.suppress(RuntimeError):  # the device `meta` has no numbers to give
        waits(torch.zeros(2, 2, device="meta"))
    assert watch.seen


def test_what_was_copied_to_a_device_stays_out_of_pickles():
    executable = make_engine("statevector").prepare(EVERY_GATE)
    before = len(pickle.dumps(executable))
    executable.probabilities(torch.zeros(1, EVERY_GATE.n_angles))
    assert len(pickle.dumps(executable)) == before


def test_a_first_call_in_inference_mode_leaves_gradients_possible_later():
    with torch.inference_mode():
        executable = make_engine("statevector").prepare(EVERY_GATE)
        executable.probabilities(torch.zeros(1, EVERY_GATE.n_angles))
    angles = torch.ones(1, EVERY_GATE.n_angles, requires_grad=True)
    executable.expectations(angles).sum().backward()
    assert angles.grad.isfinite().all() and angles.grad.any()


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture(params=["statevector", "triton"])
def on_device(request):
    """The paper's circuit, run once, with angles of 256 rows."""
    executable = make_engine(request.param).prepare(efficient_su2(10, 10))
    angles = torch.randn(256, executable.circuit.n_angles, device="cuda")
    every_call(executable, angles, torch.Generator("cuda"))
    return executable, angles


@contextlib.contextmanager
def waiting_raises():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
        try:
            torch.cuda.set_sync_debug_mode("error")
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


def every_call(executable, angles, generator):
    return (
        executable.probabilities(angles),
        executable.expectations(angles),
        executable.sample(angles, 20, generator),
        executable.marginals(angles, 20, generator),
    )


@pytest.mark.gpu
@on_a_gpu
def test_no_call_waits_for_the_gpu(on_device):
    executable, angles = on_device
    generator = torch.Generator("cuda").manual_seed(1)
    with waiting_raises():
        every_call(executable, angles, generator)
        for readout in READOUTS.values():
            readout(executable, angles, 100, generator)


@pytest.mark.gpu
@on_a_gpu
def test_a_captured_graph_computes_and_draws_what_the_calls_do(on_device):
    executable, angles = on_device
    generator = torch.Generator("cuda").manual_seed(5)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        captured = every_call(executable, angles, generator)
    twin = torch.Generator("cuda").manual_seed(5)
    for _ in range(2):
        angles.normal_()
        graph.replay()
        called = every_call(executable, angles, twin)
        assert all(torch.equal(one, other) for one, other in zip(captured, called, strict=True))


@pytest.mark.gpu
@on_a_gpu
def test_gradients_can_be_captured():
    executable = make_engine("statevector").prepare(EVERY_GATE)
    angles = torch.randn(8, EVERY_GATE.n_angles, device="cuda", requires_grad=True)
    executable.expectations(angles).sum().backward()
    eager = angles.grad.clone()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        (captured,) = torch.autograd.grad(executable.expectations(angles).sum(), angles)
    graph.replay()
    assert torch.allclose(captured, eager, atol=1e-6)
