"""Tag schemes, exhaustively over all short sequences of two types."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities

from bioner_tf.corpora.tags import (
    Span,
    begins_entity,
    continues_entity,
    from_spans,
    legal_ends,
    legal_starts,
    legal_transitions,
    repair,
    scheme_of,
    split_tag,
    to_spans,
    types_of,
)

IOB2 = ("O", "B-x", "I-x", "B-y", "I-y")
IOBES = ("O", "B-x", "I-x", "E-x", "S-x", "B-y", "I-y", "E-y", "S-y")
SCHEMES = {"IOB2": IOB2, "IOBES": IOBES}

each_scheme = pytest.mark.parametrize("scheme", SCHEMES)


def sequences(scheme, longest=4):
    for length in range(longest + 1):
        yield from itertools.product(SCHEMES[scheme], repeat=length)


@functools.cache
def tables(tags):
    return legal_starts(tags), legal_transitions(tags).tolist(), legal_ends(tags)


def is_legal(sequence, tags):
    """Tells whether the three tables allow a sequence, as a decoder uses them."""
    if not sequence:
        return True
    starts, transitions, ends = tables(tags)
    ids = [tags.index(tag) for tag in sequence]
    return bool(
        starts[ids[0]] and all(transitions[a][b] for a, b in zip(ids, ids[1:])) and ends[ids[-1]]
    )


def spellable(scheme, length):
    """Returns the tag sequences of all sets of disjoint spans."""
    if length == 0:
        return {()}
    found = {("O", *rest) for rest in spellable(scheme, length - 1)}
    single, first, inner, last = {"IOB2": "BBII", "IOBES": "SBIE"}[scheme]
    for entity_length in range(1, length + 1):
        prefixes = single if entity_length == 1 else first + inner * (entity_length - 2) + last
        for entity_type in "xy":
            head = tuple(f"{prefix}-{entity_type}" for prefix in prefixes)
            found |= {(*head, *rest) for rest in spellable(scheme, length - entity_length)}
    return found


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("O", ("O", "")),
        ("B-Gene", ("B", "Gene")),
        ("I-Regulon-operon", ("I", "Regulon-operon")),
        ("E-x-y", ("E", "x-y")),
        ("S--", ("S", "-")),
    ],
)
def test_split_tag(tag, expected):
    assert split_tag(tag) == expected


@pytest.mark.parametrize(
    "tag", ["", "B", "b-Gene", "X-Gene", "B-", "-Gene", "Gene", "o", "O-x", "BI-x", "B_x", " O"]
)
def test_split_tag_refuses(tag):
    with pytest.raises(ValueError, match="B-Gene") as caught:
        split_tag(tag)
    assert repr(tag) in str(caught.value)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ([], "IOB2"),
        (["O"], "IOB2"),
        (["O", "B-E", "I-S"], "IOB2"),
        (["O", "B-x", "E-x"], "IOBES"),
        (["O", "S-x"], "IOBES"),
    ],
    ids=["empty", "only O", "types named like prefixes", "an E", "an S"],
)
def test_scheme_of(tags, scheme):
    assert scheme_of(tags) == scheme
    assert scheme_of(iter(tags)) == scheme


@each_scheme
def test_spans_equal_seqevals_on_every_sequence(scheme):
    for sequence in sequences(scheme):
        oracle = [Span(start, end + 1, t) for t, start, end in get_entities(list(sequence))]
        assert to_spans(sequence) == oracle, sequence


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        # By hand, from conlleval's rules.
        ("I-x I-x", [(0, 2, "x")]),
        ("B-x I-y", [(0, 1, "x"), (1, 2, "y")]),
        ("O I-x B-x", [(1, 2, "x"), (2, 3, "x")]),
        ("B-x E-x B-x E-x", [(0, 2, "x"), (2, 4, "x")]),
        ("E-x E-x", [(0, 1, "x"), (1, 2, "x")]),
        ("S-x I-x", [(0, 1, "x"), (1, 2, "x")]),
    ],
)
def test_spans_of_ill_formed_sequences(tags, spans):
    assert to_spans(tags.split(" ")) == spans


def test_spans_of_anything_iterable():
    assert to_spans(iter(["O", "B-x"])) == [Span(1, 2, "x")]
    assert to_spans([]) == []


def test_spans_refuse_what_is_no_tag():
    with pytest.raises(ValueError, match="'B'"):
        to_spans(["O", "B"])


@each_scheme
def test_tables_allow_exactly_what_spans_can_spell(scheme):
    tags = SCHEMES[scheme]
    for length in range(5):
        allowed = {s for s in itertools.product(tags, repeat=length) if is_legal(s, tags)}
        assert allowed == spellable(scheme, length)


@each_scheme
def test_legal_sequences_round_trip(scheme):
    for length in range(5):
        for sequence in spellable(scheme, length):
            assert from_spans(to_spans(sequence), length, scheme) == list(sequence)


@each_scheme
def test_repair_is_legal_keeps_the_spans_and_counts(scheme):
    tags = SCHEMES[scheme]
    for sequence in sequences(scheme):
        repaired, changed = repair(sequence, scheme)
        assert is_legal(repaired, tags), sequence
        assert to_spans(repaired) == to_spans(sequence)
        assert changed == sum(a != b for a, b in zip(sequence, repaired))
        assert (changed == 0) == is_legal(sequence, tags)


@pytest.mark.parametrize(
    ("scheme", "before", "after", "changed"),
    [
        ("IOB2", "I-x I-x O", "B-x I-x O", 1),
        ("IOB2", "B-x I-y I-y", "B-x B-y I-y", 1),
        ("IOB2", "O I-x O I-y", "O B-x O B-y", 2),
        ("IOBES", "B-x O", "S-x O", 1),
        ("IOBES", "B-x I-x", "B-x E-x", 1),
        ("IOBES", "I-x E-x", "B-x E-x", 1),
        ("IOBES", "E-x", "S-x", 1),
        ("IOBES", "S-x E-x O", "S-x S-x O", 1),
        ("IOBES", "I-x I-x I-x", "B-x I-x E-x", 2),
    ],
)
def test_repair_by_hand(scheme, before, after, changed):
    assert repair(before.split(" "), scheme) == (after.split(" "), changed)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([Span(0, 4, "x")], "within"),
        ([Span(-1, 1, "x")], "within"),
        ([Span(1, 1, "x")], "within"),
        ([Span(2, 1, "x")], "within"),
        ([Span(0, 2, "x"), Span(1, 3, "y")], "overlaps"),
    ],
    ids=["too long", "before the start", "empty", "backwards", "overlapping"],
)
def test_from_spans_refuses(spans, message):
    with pytest.raises(ValueError, match=message):
        from_spans(spans, 3, "IOB2")


def test_from_spans_takes_any_order():
    spans = [Span(2, 3, "y"), Span(0, 2, "x")]
    assert from_spans(spans, 4, "IOB2") == ["B-x", "I-x", "B-y", "O"]
    assert from_spans(spans, 4, "IOBES") == ["B-x", "E-x", "S-y", "O"]


def test_tables_of_iob2_by_hand():
    tags = ["O", "B-x", "I-x", "B-y", "I-y"]
    np.testing.assert_array_equal(legal_starts(tags), [1, 1, 0, 1, 0])
    np.testing.assert_array_equal(legal_ends(tags), [1, 1, 1, 1, 1])
    np.testing.assert_array_equal(
        legal_transitions(tags),
        [[1, 1, 0, 1, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [1, 1, 0, 1, 1], [1, 1, 0, 1, 1]],
    )


def test_tables_of_iobes_by_hand():
    tags = ["O", "B-x", "I-x", "E-x", "S-x"]
    np.testing.assert_array_equal(legal_starts(tags), [1, 1, 0, 0, 1])
    np.testing.assert_array_equal(legal_ends(tags), [1, 0, 0, 1, 1])
    np.testing.assert_array_equal(
        legal_transitions(tags),
        [[1, 1, 0, 0, 1], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [1, 1, 0, 0, 1], [1, 1, 0, 0, 1]],
    )


@pytest.mark.parametrize("tags", [["O"], ["O", "B-x"], ["S-x", "O"], ["B-x", "I-x"]])
def test_tables_follow_the_order_and_the_choice_of_tags(tags):
    everything = list(IOBES if scheme_of(tags) == "IOBES" else IOB2)
    chosen = [everything.index(tag) for tag in tags]
    np.testing.assert_array_equal(legal_starts(tags), legal_starts(everything)[chosen])
    np.testing.assert_array_equal(legal_ends(tags), legal_ends(everything)[chosen])
    np.testing.assert_array_equal(
        legal_transitions(tags), legal_transitions(everything)[np.ix_(chosen, chosen)]
    )


def test_tables_are_boolean():
    for table in (legal_starts, legal_ends, legal_transitions, begins_entity, continues_entity):
        assert table(IOBES).dtype == np.bool_


def test_what_tags_do():
    np.testing.assert_array_equal(begins_entity(IOBES), [0, 1, 0, 0, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(continues_entity(IOBES), [0, 0, 1, 1, 0, 0, 1, 1, 0])
    assert types_of(IOBES) == ["", "x", "x", "x", "x", "y", "y", "y", "y"]
