import pytest
import torch
from torchmetrics.functional import r2_score
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

from qtrl.callbacks.examples import score
from qtrl.nn import Standardize


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_of_classes_are_those_of_torchmetrics(classes):
    generator = torch.Generator().manual_seed(classes)
    logits = 2 * torch.randn(300, classes, generator=generator)
    targets = torch.randint(classes, (300,), generator=generator)
    targets[:150] = logits[:150].argmax(dim=1)
    found = score(logits, targets)
    assert found.values["accuracy"] == pytest.approx(multiclass_accuracy(logits, targets, classes, "micro").item())
    error = multiclass_calibration_error(logits.softmax(dim=1), targets, classes, n_bins=10)
    assert found.values["calibration_error"] == pytest.approx(error.item(), abs=1e-5)
    assert found.details["confusion_matrix"] == multiclass_confusion_matrix(logits, targets, classes).tolist()
    assert found.values["loss"] == pytest.approx(torch.nn.functional.cross_entropy(logits, targets).item())
    assert sum(found.correct) == pytest.approx(300 * found.values["accuracy"])
    assert sum(b["rows"] for b in found.details["calibration"]) == 300


def test_scores_of_numbers_are_in_their_own_units():
    targets = torch.tensor([10.0, 20.0, 30.0, 60.0])
    scale = Standardize(targets)
    predicted = torch.tensor([12.0, 18.0, 33.0, 57.0])
    found = score(scale(predicted)[:, None], targets, scale=scale)
    assert found.values["r2"] == pytest.approx(r2_score(predicted, targets).item(), abs=1e-5)
    assert found.values["rmse"] == pytest.approx((26 / 4) ** 0.5, rel=1e-4)
    assert found.values["loss"] == pytest.approx(1 - found.values["r2"], rel=1e-4)
    assert not found.details
