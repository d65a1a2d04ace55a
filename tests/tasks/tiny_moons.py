"""The overrides of a run on moons that takes a second."""

MOONS = ("experiment=hdqnn_moons", "logger=csv", "dataset.rows=200", "circuit.n_qubits=2", "circuit.reps=1", "shots=20")
