"""The paper's corpora and vectors, and the runs that fill the cells of its tables.

Source: Wang et al., BMC Bioinformatics 2019, 20:427, "Results and discussion".
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from bioner_tf.config import TrainingConfig
from bioner_tf.runs.groups import Group, Summary, settings_of

MAINS = ("BC2GM", "Ex-PTM", "NCBI-disease", "Linnaeus")
AUXILIARIES = ("JNLPBA", "BioNLP09", "BioNLP11ID", "BioNLP13PC", "BC5CDR")
# The best partner of each main corpus, from the text on Table 4; Tables 2, 6 and 7 use it.
BEST_PARTNER = {
    "BC2GM": "JNLPBA",
    "Ex-PTM": "BioNLP09",
    "NCBI-disease": "BioNLP09",
    "Linnaeus": "BC5CDR",
}
# The corpora of Table 5: one entity type each.
ONE_TYPE = ("BioNLP11ID-chem", "BioNLP11ID-ggp", "BioNLP11ID-species")
FRACTIONS = (0.5, 0.25, 0.1)
VECTORS = ("GloVe", "PMC", "PubMed", "PMC + PubMed", "PMC + PubMed + Wikipedia")
ALPHAS = (0.0, 0.1, 0.01)
BETAS = (0.0, 0.01, 0.001)

_VECTOR_FILES = {
    "glove.6B.100d": "GloVe",
    "PMC-w2v": "PMC",
    "PubMed-w2v": "PubMed",
    "PubMed-and-PMC-w2v": "PMC + PubMed",
    "wikipedia-pubmed-and-PMC-w2v": "PMC + PubMed + Wikipedia",
}
_TYPE_SUFFIXES = {"Chemical": "chem", "Protein": "ggp", "Organism": "species"}
# The settings that the paper's tables vary. Only runs that agree in all others are compared.
_VARIED = ("structure", "corpora", "keep_fraction", "vectors", "word_dim", "types", "alpha", "beta")
_DEFAULTS = TrainingConfig()


class NotRun(Exception):
    """The requested cell has no finished run."""


class Place(NamedTuple):
    """The cell of the paper's tables that a group of runs fills."""

    structure: str
    corpora: tuple[str, ...]
    fraction: float
    vectors: str
    weights: tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class Results:
    """Groups of runs that differ only in what the paper's tables vary.

    Attributes:
        groups: The groups by place.
        vectors: The most common vectors; all tables except Table 7 use them.
        settings: The common settings that differ from the default, by flag.
        left_out: One sentence for each group whose place is taken by another group.
    """

    groups: Mapping[Place, Group]
    vectors: str
    settings: Mapping[str, object]
    left_out: tuple[str, ...] = ()

    def find(
        self,
        structure: str,
        main: str,
        auxiliary: str | None = None,
        fraction: float = 1.0,
        vectors: str | None = None,
        weights: tuple[float, float] = (_DEFAULTS.alpha, _DEFAULTS.beta),
    ) -> Group | None:
        """Finds the runs of a cell; None if there are none.

        Args:
            structure: The structure.
            main: The main corpus, by the paper's name.
            auxiliary: The auxiliary corpus; by default the main corpus's best partner.
            fraction: Share of the training sentences, in (0, 1].
            vectors: The paper's name of the vectors; by default ``self.vectors``.
            weights: Alpha and beta of the adversarial structure.
        """
        single = structure == "single_task"
        place = Place(
            structure,
            (main,) if single else (main, auxiliary or BEST_PARTNER[main]),
            fraction,
            vectors or self.vectors,
            weights if structure == "adversarial" else None,
        )
        return self.groups.get(place)

    def summary(self, metric: str, structure: str, main: str, **where: object) -> Summary:
        """Returns the scores of a cell; ``where`` as for ``find``.

        Raises:
            NotRun: The cell has no runs.
        """
        return self._group(structure, main, **where).summary(metric)

    def f1(self, structure: str, main: str, **where: object) -> float:
        """Returns the mean F1 of a cell, in [0, 1]; ``where`` as for ``find``.

        Raises:
            NotRun: The cell has no runs.
        """
        return self.summary("f1", structure, main, **where).mean

    def parameters(self, structure: str, main: str) -> int:
        """Trainable parameters without the word table.

        Raises:
            NotRun: No such run.
        """
        return self._group(structure, main).parameters

    def training_sentences(self, main: str, auxiliary: str) -> int:
        """Training sentences of an auxiliary corpus.

        Raises:
            NotRun: No such run.
        """
        run = self._group("cross_sharing", main, auxiliary=auxiliary).runs[0]
        return int(run.report["data"][run.config.data.corpora[1]]["training_sentences"])

    def _group(self, structure: str, main: str, **where: object) -> Group:
        group = self.find(structure, main, **where)  # type: ignore[arg-type]
        if group is None:
            raise NotRun
        return group


def with_partner(main: str) -> str:
    """Returns a main corpus together with its best partner, for a label."""
    return f"{main} (+ {BEST_PARTNER[main]})"


def corpus_name(name: str, types: Iterable[str] = ()) -> str:
    """Returns the paper's name of a corpus and the kept types; unknown names stay as they are."""
    name = name[: -len("-IOB")] if name.endswith("-IOB") else name
    known = {each.casefold(): each for each in (*MAINS, *AUXILIARIES, *ONE_TYPE)}
    name = known.get(name.casefold(), name)
    kept = tuple(types)
    if not kept:
        return name
    return f"{name}-{'+'.join(_TYPE_SUFFIXES.get(each, each) for each in kept)}"


def vectors_name(file: str) -> str:
    """Returns the paper's name of a file of vectors, or the file's name without its ending."""
    stem = re.sub(r"(\.(txt|bin|vec|gz))+$", "", Path(file).name)
    return _VECTOR_FILES.get(stem, stem)


def place_of(group: Group) -> Place:
    """Returns the place of a group in the paper's tables."""
    config = group.config
    weights = (config.training.alpha, config.training.beta)
    return Place(
        config.model.structure,
        tuple(corpus_name(name, config.data.types.get(name, ())) for name in config.data.corpora),
        config.data.keep_fraction,
        vectors_name(config.data.vectors),
        weights if config.model.structure == "adversarial" else None,
    )


def arrange(groups: Iterable[Group], defaults: Mapping[str, object]) -> list[Results]:
    """Sorts groups into comparable results, those with the most runs first.

    Args:
        groups: Groups of finished runs.
        defaults: The default settings, by flag; the results do not list them.
    """
    protocols: dict[str, list[Group]] = {}
    for group in groups:
        fixed = {n: v for n, v in settings_of(group.config).items() if n not in _VARIED}
        protocols.setdefault(json.dumps(fixed, sort_keys=True), []).append(group)
    results = []
    for key, members in protocols.items():
        places, left_out = _assign_places(members)
        ((vectors, _),) = Counter(place.vectors for place in places).most_common(1)
        told = {n: v for n, v in json.loads(key).items() if v != defaults[n]}
        results.append(Results(places, vectors, told, left_out))
    return sorted(results, key=lambda each: -sum(len(group.runs) for group in each.groups.values()))


def _assign_places(groups: Iterable[Group]) -> tuple[dict[Place, Group], tuple[str, ...]]:
    """Gives each place to one group; groups without ``types`` take precedence.

    Returns:
        The groups by place, and a sentence for each group whose place was taken.
    """
    places: dict[Place, Group] = {}
    left_out = []
    for group in sorted(groups, key=lambda each: bool(each.config.data.types)):
        holder = places.setdefault(place_of(group), group)
        if holder is not group:
            names, others = (
                ", ".join(f"`{run.name}`" for run in each.runs) for each in (group, holder)
            )
            left_out.append(f"Not in these tables: {names}; its place there has {others}.")
    return places, tuple(left_out)
