"""Whether scores mean what they say: of the entities with a score of 0.8, are 80% correct?"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Callable

import numpy as np
import numpy.typing as npt
from scipy import optimize

BINS = 10

_Scores = npt.NDArray[np.floating[Any]]
_Correct = npt.NDArray[np.bool_]

# Temperatures outside of this range say that something else is wrong.
_TEMPERATURES = (0.2, 5.0)
# A probability of 0 that comes true would cost infinitely much.
_SMALLEST = 1e-6
# Rounded, so that the last bits of the scores do not matter.
_DIGITS = 3


@dataclasses.dataclass(frozen=True)
class Bin:
    """The entities whose scores lie in one interval.

    Attributes:
        low: The interval's lower end; it belongs to the bin below, except 0.
        high: Its upper end; it belongs to this bin.
        entities: How many there are.
        score: Their mean score, in [0, 1]; 0 if there are none.
        correct: The share of them that is correct, in [0, 1]; 0 if there are none.
    """

    low: float
    high: float
    entities: int
    score: float
    correct: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How the scores of predicted entities agree with how many of them are correct.

    Attributes:
        bins: Intervals of equal width from 0 to 1.
    """

    bins: tuple[Bin, ...]

    @property
    def entities(self) -> int:
        """The number of predicted entities."""
        return sum(each.entities for each in self.bins)

    @property
    def error(self) -> float:
        """The expected calibration error, in [0, 1]; 0 without entities.

        Source: Guo et al., On calibration of modern neural networks (ICML 2017), Eq. 5.
        """
        gaps = sum(each.entities * abs(each.correct - each.score) for each in self.bins)
        return gaps / self.entities if self.entities else 0.0

    def to_json(self) -> dict[str, Any]:
        """Returns error, number of entities and bins."""
        return {
            "error": self.error,
            "entities": self.entities,
            "bins": [dataclasses.asdict(each) for each in self.bins],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Calibration:
        """Rebuilds what ``to_json`` gave."""
        return cls(tuple(Bin(**each) for each in value["bins"]))


def calibrate(scores: _Scores, correct: _Correct, bins: int = BINS) -> Calibration:
    """Compares the scores of predicted entities with how many of them are correct.

    Args:
        scores: float (entities,), probabilities in [0, 1].
        correct: bool (entities,), whether span and type are those of a gold entity.
        bins: The number of intervals.
    """
    scores = np.asarray(scores, np.float64)
    correct = np.asarray(correct, np.float64)
    numbers = np.searchsorted(np.arange(1, bins) / bins, scores)
    entities = np.bincount(numbers, minlength=bins)
    means = (
        np.bincount(numbers, values, bins) / np.maximum(entities, 1) for values in (scores, correct)
    )
    rows = zip(*(column.tolist() for column in (entities, *means)))
    return Calibration(tuple(Bin(n / bins, (n + 1) / bins, *row) for n, row in enumerate(rows)))


def format_calibration(calibration: Calibration) -> str:
    """Lays the bins out as a table, in per cent; bins without entities are left out."""
    lines = [
        f"expected calibration error {calibration.error:.4f} "
        f"({len(calibration.bins)} bins, {calibration.entities:,} predicted entities)",
        "score         entities  mean score  correct",
        *(
            f"{100 * each.low:3.0f} to {100 * each.high:3.0f}%  {each.entities:>9,}  "
            f"{100 * each.score:>10.2f}  {100 * each.correct:>7.2f}"
            for each in calibration.bins
            if each.entities
        ),
    ]
    return "\n".join(lines)


def fit_temperature(scores_at: Callable[[float], _Scores], correct: _Correct) -> float:
    """Finds the temperature at which the scores of entities predict best which are correct.

    Args:
        scores_at: Returns the scores at a temperature, float (entities,), in [0, 1].
        correct: bool (entities,), whether span and type are those of a gold entity.

    Returns:
        The temperature with the smallest negative log-likelihood of ``correct``, in [0.2, 5]; 1 if
        all or none of the entities are correct, because then no temperature is the best.

    Source:
        Guo et al. (2017), section 4.2, here for the probabilities of entities instead of tags.
    """
    correct = np.asarray(correct, np.bool_)
    if correct.all() or not correct.any():
        return 1.0

    def loss(log_temperature: float) -> float:
        scores = np.asarray(scores_at(math.exp(log_temperature)), np.float64)
        probabilities = np.where(correct, scores, 1 - scores)
        return -float(np.log(np.maximum(probabilities, _SMALLEST)).mean())

    bounds = tuple(map(math.log, _TEMPERATURES))
    # Golden section and parabolas between the bounds; the same every time.
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return round(math.exp(found.x), _DIGITS)
