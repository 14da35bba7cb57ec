"""The paper's statements about its tables, as tests on results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from bioner_tf.experiments.paper.experiments import (
    AUXILIARIES,
    BEST_PARTNER,
    FRACTIONS,
    MAINS,
    ONE_TYPE,
    VECTORS,
    NotRun,
    Results,
)

HOLDS, FAILS, NOT_RUN = "holds", "does not hold", "not run"

_STM, _FS, _SP, _ADV, _CS = (
    "single_task",
    "fully_shared",
    "shared_private",
    "adversarial",
    "cross_sharing",
)
# Our thresholds for the paper's "marginal", and for "close" and "a few".
_MARGINAL = 0.005
_CLOSE = 0.05


@dataclasses.dataclass(frozen=True)
class Claim:
    """One statement of the paper about one of its tables.

    Attributes:
        table: The table's number.
        text: The statement, in our words.
        mains: The main corpora that it covers; each is tested separately.
        test: Tells whether it holds for a main corpus; raises NotRun if a cell is missing.
    """

    table: int
    text: str
    mains: tuple[str, ...]
    test: Callable[[Results, str], bool]

    def verdict(self, results: Results, main: str) -> str:
        """Returns ``HOLDS``, ``FAILS`` or ``NOT_RUN``; "" for a corpus that it does not cover."""
        if main not in self.mains:
            return ""
        try:
            return HOLDS if self.test(results, main) else FAILS
        except NotRun:
            return NOT_RUN


def _above(better: str, worse: str, metric: str = "f1") -> Callable[[Results, str], bool]:
    """Tests that one structure has a higher mean than another."""
    return lambda results, main: (
        results.summary(metric, better, main).mean > results.summary(metric, worse, main).mean
    )


def _gains_little(structure: str, base: str) -> Callable[[Results, str], bool]:
    return lambda results, main: (
        0 < results.f1(structure, main) - results.f1(base, main) < _MARGINAL
    )


def _helps(auxiliary: str, helps: bool = True) -> Callable[[Results, str], bool]:
    """Tests that CS-MTM with an auxiliary corpus is above (or below) STM."""
    return lambda results, main: (
        (results.f1(_CS, main, auxiliary=auxiliary) > results.f1(_STM, main)) == helps
    )


def _best_partner(partner: str, among: Sequence[str]) -> Callable[[Results, str], bool]:
    def test(results: Results, main: str) -> bool:
        scores = {each: results.f1(_CS, main, auxiliary=each) for each in among}
        return scores[partner] == max(scores.values())

    return test


def _varies_most(results: Results, main: str) -> bool:
    deviations = {}
    for structure in (_FS, _SP, _ADV, _CS):
        deviation = results.summary("f1", structure, main).deviation
        if deviation is None:
            raise NotRun
        deviations[structure] = deviation
    return deviations[_ADV] == max(deviations.values())


def _unrelated_to_size(results: Results, main: str) -> bool:
    """Tests that F1 neither only rises nor only falls with the size of the auxiliary corpus.

    With five pairs, only a perfect rank correlation is significant at 5 %.
    """
    by_size = sorted(AUXILIARIES, key=lambda each: results.training_sentences(main, each))
    scores = [results.f1(_CS, main, auxiliary=each) for each in by_size]
    return scores not in (sorted(scores), sorted(scores, reverse=True))


def _falls_with_size(results: Results, main: str) -> bool:
    sizes = (1.0, *FRACTIONS)
    scores = [
        [results.f1(structure, main, fraction=size) for size in sizes] for structure in (_STM, _CS)
    ]
    return all(more > less for row in scores for more, less in zip(row, row[1:]))


def _above_at(fraction: float, metric: str = "f1", above: bool = True) -> Callable:
    def test(results: Results, main: str) -> bool:
        ours, theirs = (
            results.summary(metric, structure, main, fraction=fraction).mean
            for structure in (_CS, _STM)
        )
        return (ours > theirs) == above

    return test


def _best_vectors(structure: str, best: str) -> Callable[[Results, str], bool]:
    def test(results: Results, main: str) -> bool:
        scores = {each: results.f1(structure, main, vectors=each) for each in VECTORS}
        return scores[best] == max(scores.values())

    return test


def _parameters(test: Callable[[int, int], bool], one: str, other: str) -> Callable:
    return lambda results, main: test(
        results.parameters(one, main), results.parameters(other, main)
    )


_BC2GM, _EX_PTM, _NCBI, _LINNAEUS = MAINS
_CHEM, _GGP, _SPECIES = ONE_TYPE

CLAIMS = (
    Claim(2, "FS-MTM is better than STM", (_BC2GM, _EX_PTM), _above(_FS, _STM)),
    Claim(2, "FS-MTM is worse than STM", (_NCBI, _LINNAEUS), _above(_STM, _FS)),
    Claim(2, "SP-MTM is better than STM", MAINS, _above(_SP, _STM)),
    Claim(2, "SP-MTM is better than FS-MTM", MAINS, _above(_SP, _FS)),
    Claim(2, "ADV-MTM is better than STM", MAINS, _above(_ADV, _STM)),
    Claim(2, "ADV-MTM gains little over STM (under 0.5)", (_BC2GM,), _gains_little(_ADV, _STM)),
    Claim(2, "CS-MTM is better than STM", MAINS, _above(_CS, _STM)),
    Claim(2, "CS-MTM is better than ADV-MTM", (_BC2GM, _EX_PTM, _NCBI), _above(_CS, _ADV)),
    Claim(2, "CS-MTM is worse than ADV-MTM", (_LINNAEUS,), _above(_ADV, _CS)),
    Claim(2, "CS-MTM tends to a higher recall (than STM)", MAINS, _above(_CS, _STM, "recall")),
    Claim(
        2, "ADV-MTM tends to a higher precision (than STM)", MAINS, _above(_ADV, _STM, "precision")
    ),
    Claim(2, "ADV-MTM gains little over SP-MTM (under 0.5)", MAINS, _gains_little(_ADV, _SP)),
    Claim(2, "ADV-MTM is the least stable (over seeds)", MAINS, _varies_most),
    Claim(
        3,
        "STM and FS-MTM have about as many parameters (within 5%)",
        MAINS,
        _parameters(lambda stm, fs: abs(fs - stm) < _CLOSE * stm, _STM, _FS),
    ),
    *(
        Claim(
            3,
            f"{name} has more parameters than FS-MTM",
            MAINS,
            _parameters(lambda more, less: more > less, structure, _FS),
        )
        for name, structure in (("SP-MTM", _SP), ("ADV-MTM", _ADV), ("CS-MTM", _CS))
    ),
    Claim(
        3,
        "The gate of CS-MTM adds few parameters to SP-MTM (under 5%)",
        MAINS,
        _parameters(lambda cs, sp: 0 < cs - sp < _CLOSE * sp, _CS, _SP),
    ),
    *(
        Claim(
            4,
            f"{partner} is the best partner",
            tuple(main for main in MAINS if BEST_PARTNER[main] == partner),
            _best_partner(partner, AUXILIARIES),
        )
        for partner in dict.fromkeys(BEST_PARTNER.values())
    ),
    Claim(4, "JNLPBA helps", (_BC2GM, _EX_PTM, _NCBI), _helps("JNLPBA")),
    Claim(4, "JNLPBA harms", (_LINNAEUS,), _helps("JNLPBA", False)),
    Claim(4, "BioNLP09 helps", MAINS, _helps("BioNLP09")),
    Claim(4, "BioNLP11ID helps", (_EX_PTM, _LINNAEUS), _helps("BioNLP11ID")),
    Claim(4, "BioNLP13PC helps", (_EX_PTM,), _helps("BioNLP13PC")),
    Claim(4, "BC5CDR helps", (_BC2GM, _EX_PTM, _LINNAEUS), _helps("BC5CDR")),
    Claim(4, "The size of the auxiliary corpus does not decide", MAINS, _unrelated_to_size),
    Claim(5, "Protein (ggp) is the best single type", (_EX_PTM,), _best_partner(_GGP, ONE_TYPE)),
    Claim(5, "Species is the best single type", (_LINNAEUS,), _best_partner(_SPECIES, ONE_TYPE)),
    Claim(5, "Chemical helps", (_BC2GM, _EX_PTM), _helps(_CHEM)),
    Claim(5, "Chemical harms", (_NCBI, _LINNAEUS), _helps(_CHEM, False)),
    Claim(5, "Protein (ggp) helps", (_BC2GM, _EX_PTM), _helps(_GGP)),
    Claim(5, "Protein (ggp) harms", (_NCBI, _LINNAEUS), _helps(_GGP, False)),
    Claim(5, "Species helps", (_EX_PTM,), _helps(_SPECIES)),
    Claim(5, "Species harms", (_BC2GM, _NCBI, _LINNAEUS), _helps(_SPECIES, False)),
    Claim(5, "All types together help", (_BC2GM, _LINNAEUS), _helps("BioNLP11ID")),
    Claim(5, "All types together harm", (_NCBI,), _helps("BioNLP11ID", False)),
    Claim(
        5,
        "All types together are better than any single one",
        (_EX_PTM,),
        _best_partner("BioNLP11ID", (*ONE_TYPE, "BioNLP11ID")),
    ),
    Claim(6, "F1 falls with the size of the training set", MAINS, _falls_with_size),
    *(
        Claim(6, f"CS-MTM is better than STM at {fraction:.0%}", MAINS, _above_at(fraction))
        for fraction in FRACTIONS[:2]
    ),
    *(
        Claim(
            6,
            f"CS-MTM has a higher recall than STM at {fraction:.0%}",
            MAINS,
            _above_at(fraction, "recall"),
        )
        for fraction in FRACTIONS[:2]
    ),
    Claim(6, "CS-MTM is better than STM at 10%", (_BC2GM, _NCBI), _above_at(0.1)),
    Claim(6, "CS-MTM is worse than STM at 10%", (_EX_PTM, _LINNAEUS), _above_at(0.1, above=False)),
    Claim(7, f"{VECTORS[4]} is best for STM", (_BC2GM,), _best_vectors(_STM, VECTORS[4])),
    Claim(7, "GloVe is best for STM", MAINS[1:], _best_vectors(_STM, "GloVe")),
    Claim(7, "PMC + PubMed is best for CS-MTM", (_BC2GM,), _best_vectors(_CS, "PMC + PubMed")),
    Claim(7, "GloVe is best for CS-MTM", MAINS[1:], _best_vectors(_CS, "GloVe")),
)
