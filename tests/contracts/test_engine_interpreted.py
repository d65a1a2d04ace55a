"""The contract on the engine of GPU kernels, by Triton's interpreter; `test_triton.py` has what is too slow here.

The tests are those of `test_engine.py`: they run here with the fixtures of this file.
"""

import pytest
import torch
from test_engine import (  # noqa: F401
    test_a_batch_equals_its_rows_one_by_one,
    test_a_circuit_without_gates_stays_in_the_zero_state,
    test_a_result_larger_than_the_memory_is_refused_before_it_is_allocated,
    test_an_empty_batch_gives_empty_results,
    test_an_empty_batch_has_an_empty_gradient,
    test_angles_of_another_dtype_are_refused,
    test_angles_of_another_shape_are_refused_with_both_shapes,
    test_angles_that_are_not_finite_are_refused,
    test_bell_state_reads_00_or_11,
    test_constants_stand_behind_the_angles,
    test_copies_draw_what_the_original_draws,
    test_copies_work_after_use_with_gradients,
    test_every_gate_acts_as_its_matrix_on_a_random_product_state,
    test_expectations_are_the_probabilities_of_reading_1_with_qubit_0_first,
    test_fewer_than_one_shot_is_refused,
    test_gates_may_share_an_angle,
    test_ghz_state_of_five_qubits_samples_all_equal_bits,
    test_large_finite_angles_are_no_nan,
    test_marginals_are_the_means_of_the_samples_of_an_equal_generator,
    test_mixed_precision_of_a_network_leaves_the_circuit_alone,
    test_nothing_of_an_executable_enters_a_state_dict,
    test_the_generator_decides_the_samples,
    test_the_global_stream_is_left_alone,
    test_too_many_qubits_are_refused_before_anything_is_allocated,
    test_unused_angles_do_not_matter_and_get_no_gradient,
)

from qtrl.quantum import make_engine

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="kernels are compiled where there is a GPU")


@pytest.fixture
def engine():
    return make_engine("triton")


@pytest.fixture
def exact_engine(engine):
    return engine
