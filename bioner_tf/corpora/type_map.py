"""Entity types by other names: one vocabulary of types for several corpora (``--type_map``)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from bioner_tf.corpora.tags import from_spans, scheme_of, to_spans
from bioner_tf.errors import UsageError

# The help of the flag, without what is done with the names.
SYNTAX = (
    "TYPE=NAME renames an entity type of every corpus, CORPUS:TYPE=NAME that of one corpus; with "
    "an empty NAME the entities of the type are dropped. Types that are not listed keep their names"
)


@dataclasses.dataclass(frozen=True)
class TypeMap:
    """New names of entity types; a type without one keeps its name.

    Attributes:
        everywhere: New names by type, for every corpus.
        by_corpus: New names by corpus and type; they go before those of ``everywhere``.
    """

    everywhere: Mapping[str, str] = dataclasses.field(default_factory=dict)
    by_corpus: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether any type gets a new name."""
        return bool(self.everywhere or self.by_corpus)

    def rename(self, corpus: str, entity_type: str) -> str:
        """Returns the new name of a type of a corpus; "" if its entities are to be dropped."""
        names = self.by_corpus.get(corpus, {})
        return names.get(entity_type, self.everywhere.get(entity_type, entity_type))

    def resolve(self, corpus: str, types: Iterable[str]) -> dict[str, str]:
        """Returns the new name of each of the types of a corpus, for use and as plain JSON."""
        return {entity_type: self.rename(corpus, entity_type) for entity_type in types}

    def rename_tags(self, corpus: str, tags: Sequence[str]) -> tuple[str, ...]:
        """Renames the entities of one sentence.

        Args:
            corpus: The corpus that the tags are of.
            tags: Of either scheme; ill-formed sequences are read as ``tags.to_spans`` reads them.

        Returns:
            As many tags, a legal sequence of the same scheme. Neighbouring entities stay two
            even if their types get the same name.
        """
        renamed = (s._replace(type=self.rename(corpus, s.type)) for s in to_spans(tags))
        return tuple(from_spans((s for s in renamed if s.type), len(tags), scheme_of(tags)))

    def check(self, types: Mapping[str, Iterable[str]]) -> None:
        """Checks that the map speaks of corpora and types that exist.

        Args:
            types: All entity types that there are, by corpus.

        Raises:
            UsageError: For a corpus or a type that is not there.
        """
        known = {corpus: set(of_corpus) for corpus, of_corpus in types.items()}
        every_type = set().union(*known.values())
        for corpus, names in self.by_corpus.items():
            if corpus not in known:
                raise UsageError(
                    f"--type_map: expected one of the corpora {', '.join(known)}, got {corpus!r}"
                )
            _check_types(names, known[corpus], f"a type of {corpus}")
        _check_types(self.everywhere, every_type, "a type of a corpus")


def parse_type_map(items: Iterable[str]) -> TypeMap:
    """Reads a type map.

    Args:
        items: Each ``TYPE=NAME`` or ``CORPUS:TYPE=NAME``, as ``SYNTAX`` describes them.

    Raises:
        UsageError: Something else, or two names for one type.
    """
    everywhere: dict[str, str] = {}
    by_corpus: dict[str, dict[str, str]] = {}
    for item in items:
        left, equals, name = map(str.strip, item.rpartition("="))
        corpus, colon, entity_type = left.rpartition(":")
        if not equals or not entity_type or (colon and not corpus):
            raise UsageError(
                f"--type_map: expected TYPE=NAME or CORPUS:TYPE=NAME, got {item!r}; an empty NAME "
                "drops the type"
            )
        names = by_corpus.setdefault(corpus, {}) if colon else everywhere
        if names.setdefault(entity_type, name) != name:
            raise UsageError(
                f"--type_map: expected one name for {left}, got {names[entity_type]!r} and {name!r}"
            )
    return TypeMap(everywhere, by_corpus)


def _check_types(names: Iterable[str], known: set[str], expected: str) -> None:
    for entity_type in names:
        if entity_type not in known:
            raise UsageError(
                f"--type_map: expected {expected} ({', '.join(sorted(known)) or 'there is none'}), "
                f"got {entity_type!r}"
            )
