from __future__ import annotations

import json

import pytest

from bioner_tf.corpora.type_map import TypeMap, parse_type_map
from bioner_tf.errors import UsageError

TYPES = {"JNLPBA": ["DNA", "protein", "cell_line"], "BC2GM": ["GENE"]}


def test_renames_everywhere_and_in_one_corpus():
    types = parse_type_map(["GENE=Gene", "protein = Gene", "DNA=", "JNLPBA:DNA=Gene", "a:b:c=d"])
    assert types == TypeMap(
        {"GENE": "Gene", "protein": "Gene", "DNA": ""},
        {"JNLPBA": {"DNA": "Gene"}, "a:b": {"c": "d"}},
    )
    assert types.rename("BC2GM", "DNA") == ""
    resolved = types.resolve("JNLPBA", TYPES["JNLPBA"])
    assert resolved == {"DNA": "Gene", "protein": "Gene", "cell_line": "cell_line"}
    assert json.loads(json.dumps(resolved)) == resolved


def test_an_empty_map_changes_nothing():
    types = parse_type_map([])
    assert not types
    assert types.rename("BC2GM", "GENE") == "GENE"
    types.check(TYPES)


@pytest.mark.parametrize(
    ("tags", "renamed"),
    [
        ("B-GENE I-GENE O", "B-Gene I-Gene O"),
        # Dropped, and kept under its own name.
        ("B-DNA I-DNA B-cell_line", "O O B-cell_line"),
        # Two entities stay two, although they get the same name.
        ("B-GENE B-protein I-protein", "B-Gene B-Gene I-Gene"),
        ("I-GENE I-protein", "B-Gene B-Gene"),
        ("S-protein B-GENE E-GENE S-DNA", "S-Gene B-Gene E-Gene O"),
        ("O O", "O O"),
        ("", ""),
    ],
)
def test_renames_tags(tags, renamed):
    types = parse_type_map(["GENE=Gene", "protein=Gene", "DNA="])
    assert types.rename_tags("any", tags.split()) == tuple(renamed.split())


@pytest.mark.parametrize("item", ["GENE", "=Gene", ":GENE=Gene", "JNLPBA:=Gene", ""])
def test_refuses_what_is_no_item(item):
    with pytest.raises(UsageError, match="expected TYPE=NAME or CORPUS:TYPE=NAME"):
        parse_type_map([item])


def test_refuses_two_names_of_one_type():
    with pytest.raises(UsageError, match="expected one name for a:DNA, got 'x' and 'y'"):
        parse_type_map(["DNA=z", "a:DNA=x", "a:DNA=y"])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("BC5CDR:Chemical=", "corpora JNLPBA, BC2GM, got 'BC5CDR'"),
        ("BC2GM:DNA=", "a type of BC2GM \\(GENE\\), got 'DNA'"),
        ("Gene=", "a type of a corpus \\(DNA, GENE, cell_line, protein\\), got 'Gene'"),
    ],
)
def test_refuses_what_no_corpus_has(item, message):
    with pytest.raises(UsageError, match=message):
        parse_type_map([item]).check(TYPES)
