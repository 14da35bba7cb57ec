from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from bioner_tf.scoring.calibration import (
    Calibration,
    calibrate,
    fit_temperature,
    format_calibration,
)


def expected_error(scores, correct, bins):
    """Guo et al., Eq. 5, entity by entity and bin by bin."""
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [i for i, s in enumerate(scores) if low < s <= high or (number == 0 and s == 0)]
        if inside:
            accuracy = sum(map(bool, correct[inside])) / len(inside)
            confidence = sum(scores[inside]) / len(inside)
            total += len(inside) / len(scores) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_error_equals_the_definition(seed, bins):
    rng = np.random.default_rng(seed)
    # Ends of bins, 0 and 1 among them: these are exact in binary.
    scores = np.where(rng.random(300) < 0.3, rng.integers(0, 17, 300) / 16, rng.random(300))
    correct = rng.random(300) < scores**2
    found = calibrate(scores, correct, bins)
    assert found.error == pytest.approx(expected_error(scores, correct, bins), abs=1e-12)
    assert found.entities == 300


def test_by_hand():
    found = calibrate(np.array([0.95, 0.85, 0.9, 0.2]), np.array([True, False, True, False]))
    # (0.8, 0.9]: mean 0.875, half correct; (0.9, 1]: 0.95, all; (0.1, 0.2]: 0.2, none.
    assert found.error == pytest.approx((2 * 0.375 + 0.05 + 0.2) / 4)
    assert [each.entities for each in found.bins] == [0, 1, 0, 0, 0, 0, 0, 0, 2, 1]
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert format_calibration(found).split("\n") == [
        "expected calibration error 0.2500 (10 bins, 4 predicted entities)",
        "score         entities  mean score  correct",
        " 10 to  20%          1       20.00     0.00",
        " 80 to  90%          2       87.50    50.00",
        " 90 to 100%          1       95.00   100.00",
    ]


def test_without_entities():
    found = calibrate(np.zeros(0), np.zeros(0, bool))
    assert (found.error, found.entities) == (0.0, 0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_fit_recovers_a_known_temperature(temperature):
    rng = np.random.default_rng(5)
    logits = rng.normal(1.0, 2.0, 50_000)
    correct = rng.random(50_000) < expit(logits)
    # Scores that are too sure by the factor.
    scores = expit(logits * temperature)

    def scores_at(tried):
        return expit(logit(scores) / tried)

    found = fit_temperature(scores_at, correct)
    assert found == pytest.approx(temperature, rel=0.03)
    assert calibrate(scores_at(found), correct).error < 0.01
    assert fit_temperature(scores_at, correct) == found


def test_a_score_of_zero_or_one_may_be_wrong():
    found = fit_temperature(lambda _: np.array([1.0, 0.0]), np.array([False, True]))
    assert 0.2 <= found <= 5


@pytest.mark.parametrize("correct", [[True, True], [False, False], []])
def test_no_temperature_is_best_when_all_are_alike(correct):
    def scores_at(_):
        raise AssertionError

    assert fit_temperature(scores_at, np.array(correct, bool)) == 1.0
