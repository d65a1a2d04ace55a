"""TensorCircuit-NG on JAX: compiled and mapped over the batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from libraries.base import Library, bits_matrix
from qtrl.quantum import Circuit, Gate


def tensorcircuit(circuit: Circuit, weights: Sequence[float]) -> Library:
    """Forward is the whole circuit written out, which runs fastest; the gradient goes through a scan over layers.

    Written out, the gradient was not compiled after nine minutes.
    """
    import jax
    import tensorcircuit as tc

    tc.set_backend("jax")
    tc.set_dtype("complex64")
    bits, weighted = jax.numpy.asarray(bits_matrix(circuit.n_qubits).numpy()), jax.numpy.asarray(weights)
    layers = [circuit.gates[start:stop] for start, stop in _layers(circuit)]

    def apply(state: Any, gates: Sequence[Gate], angles: Any) -> Any:
        """Run gates on a state, or on |0...0> for None, with angles counted from the first gate's."""
        built, taken = tc.Circuit(circuit.n_qubits, inputs=state), iter(angles)
        for gate in gates:
            getattr(built, gate.name)(*gate.qubits, **({"theta": next(taken)} if gate.angles else {}))
        return built.state()

    def both_of(row: Any) -> Any:
        probabilities = abs(apply(None, circuit.gates, row)) ** 2
        return probabilities, probabilities @ bits

    def loss_of(row: Any) -> Any:
        per_layer = row.reshape(len(layers), -1)
        zero = jax.numpy.zeros(2**circuit.n_qubits, "complex64").at[0].set(1)
        state, _ = jax.lax.scan(lambda state, angles: (apply(state, layers[0], angles), None), zero, per_layer[:-1])
        return abs(apply(state, layers[-1], per_layer[-1])) ** 2 @ bits @ weighted

    both = jax.jit(jax.vmap(both_of))
    gradient = jax.jit(jax.vmap(jax.grad(loss_of)))
    return Library(
        "TensorCircuit-NG",
        "JAX, complex64, jit and vmap; gradient by a scan over layers (written out, over nine minutes of compilation)",
        ("tensorcircuit-ng", "jax"),
        jax.numpy.asarray,
        lambda angles: np.asarray(both(angles)[0]),
        lambda angles: np.asarray(both(angles)[1]),
        lambda angles: np.asarray(gradient(angles)),
    )


def _layers(circuit: Circuit) -> list[tuple[int, int]]:
    """Cut before each rotation that follows an entangling gate; all layers but the last are alike."""
    names = [gate.name for gate in circuit.gates]
    cuts = [place for place in range(1, len(names)) if names[place - 1] == "cx" and names[place] != "cx"]
    return list(zip([0, *cuts], [*cuts, len(names)], strict=True))
