import random

from qtrl.quantum import GATES, Circuit, Gate, data_reuploading, efficient_su2, fix_angles


def random_circuit(n_qubits, seed):
    """Every gate twice, in any order, with angles in any order, of which some are shared, constant or unused.

    Constants are numbered as they first appear, and no two are equal.
    """
    rng = random.Random(seed)
    names = [name for name, spec in GATES.items() if spec.n_qubits <= n_qubits] * 2
    rng.shuffle(names)
    n_angles = 20
    open_places, constants, gates = rng.sample(range(n_angles), 17), [], []
    for name in names:
        places = []
        for _ in range(GATES[name].n_angles):
            if rng.random() < 0.3:
                places.append(n_angles + len(constants))
                constants.append(rng.uniform(-3, 3))
            else:
                places.append(rng.choice(open_places + list(range(n_angles, n_angles + len(constants)))))
        gates.append(Gate(name, tuple(rng.sample(range(n_qubits), GATES[name].n_qubits)), tuple(places)))
    read = {place for gate in gates for place in gate.angles}
    unused = tuple(place for place in range(n_angles) if place not in read)
    return Circuit(n_qubits, tuple(gates), tuple(constants), unused)


CONVERTED = {
    **{f"random {seed}": random_circuit(1 + seed, seed) for seed in range(5)},
    "su2": efficient_su2(3, 2, entanglement="circular"),
    "reuploading": data_reuploading(3, 2),
    "fixed angles": fix_angles(efficient_su2(3, 1), 0),
}
"""Circuits that every conversion takes there and back."""
