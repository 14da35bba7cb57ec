from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from bioner_tf.scoring.metrics import score_tags
from bioner_tf.scoring.statistics import (
    METRICS,
    bootstrap_intervals,
    bootstrap_totals,
    holm,
    paired_randomisation,
    rank_correlation,
    rates,
    sentence_counts,
    sum_by_document,
    welch_test,
)

GOLD = [["B-X", "I-X", "O"], ["O", "B-Y"], ["B-X"], ["O", "O"], ["B-X", "B-X"]]
PREDICTED = [["B-X", "O", "O"], ["O", "B-Y"], ["O"], ["B-X", "O"], ["B-X", "B-X"]]


def random_counts(rng, sentences):
    support, predicted = rng.integers(0, 4, size=(2, sentences))
    return np.stack([support, predicted, np.minimum(support, predicted) // 2 + 0], axis=1)


def test_counts_are_those_of_the_metrics():
    counts = sentence_counts(GOLD, PREDICTED)
    micro = score_tags(GOLD, PREDICTED).micro
    assert counts.sum(axis=0).tolist() == [micro.support, micro.predicted, micro.correct]
    assert {name: float(value) for name, value in rates(counts.sum(axis=0)).items()} == {
        name: getattr(micro, name) for name in METRICS
    }


def test_counts_need_as_many_sentences():
    with pytest.raises(ValueError, match="5 gold sentences"):
        sentence_counts(GOLD, PREDICTED[:-1])


def test_rates_of_nothing_are_zero():
    assert {name: float(value) for name, value in rates(np.zeros(3, int)).items()} == dict.fromkeys(
        METRICS, 0.0
    )


def test_bootstrap_tends_to_the_quantiles_of_all_resamples():
    counts = sentence_counts(GOLD, PREDICTED)
    # The oracle: every one of the 5 ** 5 ways to draw five sentences.
    everything = np.array(list(itertools.product(range(5), repeat=5)))
    exact = rates(counts[everything].sum(axis=1))
    found = bootstrap_intervals(counts, samples=20_000, seed=3, confidence=0.7)
    for metric in METRICS:
        low, high = np.quantile(exact[metric], [0.15, 0.85])
        assert found[metric] == pytest.approx((low, high), abs=0.03)


def test_bootstrap_interval_is_where_theory_has_it():
    # Recall of 2,000 sentences of one gold entity each, found with probability 0.8: a binomial.
    correct = np.random.default_rng(1).random(2000) < 0.8
    counts = np.stack([np.ones(2000), correct, correct], axis=1).astype(np.int64)
    low, high = bootstrap_intervals(counts, samples=2000)["recall"]
    mean = correct.mean()
    half = 1.96 * np.sqrt(mean * (1 - mean) / 2000)
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.002)


def test_bootstrap_repeats_itself():
    counts = sentence_counts(GOLD, PREDICTED)
    assert bootstrap_intervals(counts, seed=5) == bootstrap_intervals(counts, seed=5)
    assert bootstrap_intervals(counts, seed=5) != bootstrap_intervals(counts, seed=6)


@pytest.mark.parametrize("seed", range(4))
def test_randomisation_tends_to_the_share_of_all_swaps(seed):
    rng = np.random.default_rng(seed)
    counts, others = random_counts(rng, 8), random_counts(rng, 8)
    others[:, 0] = counts[:, 0]
    others[:, 2] = np.minimum(others[:, 2], counts[:, 0])
    found = paired_randomisation(counts, others, trials=20_000, seed=seed)

    def differences(swaps):
        swaps = np.array(swaps, bool)[:, None]
        ours = rates(np.where(swaps, others, counts).sum(axis=0))
        theirs = rates(np.where(swaps, counts, others).sum(axis=0))
        return {metric: ours[metric] - theirs[metric] for metric in METRICS}

    observed = differences([0] * 8)
    # The oracle: every one of the 2 ** 8 swaps.
    everything = [differences(swaps) for swaps in itertools.product((0, 1), repeat=8)]
    for metric in METRICS:
        exact = np.mean([abs(each[metric]) >= abs(observed[metric]) - 1e-12 for each in everything])
        assert found[metric].difference == pytest.approx(float(observed[metric]))
        assert found[metric].p == pytest.approx(exact, abs=0.015)


def test_randomisation_of_equal_models_finds_nothing():
    counts = sentence_counts(GOLD, PREDICTED)
    for found in paired_randomisation(counts, counts, trials=50).values():
        assert found == (0.0, 1.0)


def test_randomisation_p_is_never_zero():
    gold = [["B-X"]] * 60
    counts = sentence_counts(gold, gold)
    others = sentence_counts(gold, [["O"]] * 60)
    assert paired_randomisation(counts, others, trials=99)["recall"] == (1.0, 0.01)


def test_randomisation_needs_the_same_sentences():
    with pytest.raises(ValueError, match="2 sentences of one model, but 3"):
        paired_randomisation(np.ones((2, 3), int), np.ones((3, 3), int))


def test_welch_by_hand():
    # Both variances are 2, so the squared errors are 1 and 1, t = -3 / sqrt(2), with 2 degrees of
    # freedom; Student's t of 2 degrees lies beyond |t| with probability 1 - |t| / sqrt(t^2 + 2).
    assert welch_test([0, 2], [3, 5]) == pytest.approx((-3, 1 - 4.5**0.5 / 6.5**0.5))
    # Unequal: squared errors 1 and 4 / 3, t = -1 / sqrt(7 / 3), (7 / 3)^2 / (1 + 8 / 9) degrees.
    t, freedom = 1 / (7 / 3) ** 0.5, (7 / 3) ** 2 / (1 + 8 / 9)
    found = welch_test([0, 2], [0, 2, 4])
    assert found == pytest.approx((-1, 2 * stats.t.sf(t, freedom)))


@pytest.mark.parametrize(("ours", "theirs"), [([0.7], [0.6, 0.5]), ([0.7, 0.7], [0.6, 0.6])])
def test_welch_says_nothing_where_nothing_can_be_said(ours, theirs):
    assert welch_test(ours, theirs) is None


def test_one_side_that_does_not_vary_is_no_reason_to_warn():
    assert 0 < welch_test([0.7, 0.7, 0.7], [0.6, 0.61]).p < 0.1


@pytest.mark.parametrize(
    ("values", "others", "expected"),
    [
        # Without ties: 1 - 6 * (sum of squared differences of ranks) / (n * (n^2 - 1)).
        ([1, 2, 3, 4], [10, 30, 20, 40], 1 - 6 * 2 / 60),
        ([1, 2, 3], [9, 5, 1], -1),
        # Ties share their mean rank: 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
        ([1, 2, 2, 3], [1, 2, 3, 4], 4.5 / (4.5 * 5) ** 0.5),
    ],
)
def test_rank_correlation_by_hand(values, others, expected):
    assert rank_correlation(values, others) == pytest.approx(expected)


@pytest.mark.parametrize(("values", "others"), [([1], [2]), ([1, 1], [1, 2])])
def test_rank_correlation_of_too_little_is_none(values, others):
    assert rank_correlation(values, others) is None


def test_holm_by_hand():
    # Sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.5 x 1, and none below the one before.
    adjusted = holm({"a": 0.5, "b": 0.01, "c": 0.03, "d": 0.02})
    assert adjusted == pytest.approx({"a": 0.5, "b": 0.04, "c": 0.06, "d": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_totals_of_several_counts_at_once_are_those_of_each():
    counts = np.stack([random_counts(np.random.default_rng(n), 12) for n in (1, 2)], axis=1)
    totals = bootstrap_totals(counts, samples=7, seed=5)
    assert totals.shape == (7, 2, 3)
    chosen = np.random.default_rng(5).integers(12, size=(7, 12))
    np.testing.assert_array_equal(totals, counts[chosen].sum(axis=1))
    np.testing.assert_array_equal(totals[:, 1], bootstrap_totals(counts[:, 1], samples=7, seed=5))


def test_sums_by_document():
    counts = np.arange(12).reshape(4, 3)
    np.testing.assert_array_equal(
        sum_by_document(counts, [0, 1, 3]), [[0, 1, 2], [9, 11, 13], [9, 10, 11]]
    )
