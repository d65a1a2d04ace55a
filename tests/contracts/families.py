"""The members of the families whose contracts are tested: a new block or estimator joins its list here."""

from qtrl.nn import (
    FC,
    PQC,
    RBG,
    Bernoulli,
    Direct,
    ExactEstimator,
    FCMatched,
    ParameterShiftEstimator,
    QtDNNEstimator,
    Shuffled,
    SPSAEstimator,
    StraightThroughEstimator,
    ZeroEstimator,
    Zeros,
)
from qtrl.quantum import Circuit, Gate, efficient_su2, make_engine

BLOCK_SIZES = 12, 3


def build_pqc(kind: type[PQC] = PQC, **options) -> PQC:
    circuit = efficient_su2(BLOCK_SIZES[1], reps=1)
    return kind(*BLOCK_SIZES, circuit=circuit, engine=make_engine("statevector"), **options)


BLOCKS = {
    "pqc": build_pqc,
    "fc": lambda: FC(*BLOCK_SIZES),
    "rbg": lambda: RBG(*BLOCK_SIZES),
    "zeros": lambda: Zeros(*BLOCK_SIZES),
    "bernoulli": lambda: Bernoulli(*BLOCK_SIZES),
    "fc_matched": lambda: FCMatched(*BLOCK_SIZES),
    "shuffled": lambda: build_pqc(Shuffled),
}
TRAINED, CIRCUITS, DRAWING = (
    ("fc", "bernoulli", "fc_matched"),
    ("pqc", "shuffled"),
    ("pqc", "rbg", "bernoulli", "shuffled"),
)
"""Those with parameters, with a circuit, and with a readout or a value that is drawn."""

ESTIMATOR_SIZES = 4, 2

ESTIMATORS = {
    "direct": lambda: Direct(),
    "qtdnn": lambda: QtDNNEstimator(*ESTIMATOR_SIZES, hidden=16),
    "qtdnn, value of the block": lambda: QtDNNEstimator(*ESTIMATOR_SIZES, hidden=16, value="block"),
    "exact": lambda: ExactEstimator(*ESTIMATOR_SIZES),
    "parameter_shift": lambda: ParameterShiftEstimator(*ESTIMATOR_SIZES),
    "parameter_shift, 20 shots": lambda: ParameterShiftEstimator(*ESTIMATOR_SIZES, shots=20),
    "spsa": lambda: SPSAEstimator(*ESTIMATOR_SIZES),
    "spsa, 20 shots": lambda: SPSAEstimator(*ESTIMATOR_SIZES, repetitions=3, shots=20),
    "straight_through": lambda: StraightThroughEstimator(*ESTIMATOR_SIZES),
    "zero": lambda: ZeroEstimator(*ESTIMATOR_SIZES),
}
WITHOUT_GRADIENT = {"direct", "zero"}  # of a block that has none itself
EXACT = ("exact", "parameter_shift", "straight_through")
RUN_THE_CIRCUIT = {
    name: type(make()).__name__ for name, make in ESTIMATORS.items() if not name.startswith(("qtdnn", "direct", "zero"))
}

GATES = (
    *(Gate("h", (qubit,)) for qubit in range(ESTIMATOR_SIZES[1])),
    Gate("ry", (0,), (0,)),
    Gate("crx", (0, 1), (1,)),
    Gate("u3", (1,), (2, 4, 0)),  # 4 is the constant; 0 is shared
    Gate("rz", (0,), (3,)),
    Gate("h", (0,)),
)
CIRCUIT = Circuit(ESTIMATOR_SIZES[1], GATES, constants=(0.5,))
SHIFTED = 2 + 4 + 2 + 2 + 2
