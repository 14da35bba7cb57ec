from __future__ import annotations

import pytest

from bioner_tf.corpora import fetch
from bioner_tf.serving.model_card import write_model_card

METADATA = {
    "bioner_tf": "1.2.3",
    "tensorflow": "2.15.1",
    "corpora": [
        {
            "name": "genes",
            "types": ["DNA", "a|b"],
            "scheme": "IOB2",
            "signatures": {"text": "tag_text_genes", "tokens": "tag_tokens_genes"},
        }
    ],
    "serving": {
        "serve": "all",
        "signatures": {"all": "tag_text_all", "candidates": "tag_text_candidates"},
        "type_map": {"genes": {"DNA": "", "a|b": "Gene"}},
        "min_score": 0.0,
        "overlaps": "score",
    },
    "max_characters": 64,
    "max_sentence_tokens": 256,
}


def with_corpora(names):
    [corpus] = METADATA["corpora"]
    serving = METADATA["serving"]
    return {
        **METADATA,
        "corpora": [{**corpus, "name": name} for name in names],
        "serving": {**serving, "type_map": dict.fromkeys(names, serving["type_map"]["genes"])},
    }


def test_tells_corpora_scores_and_settings():
    scores = {"genes": {"test": {"precision": 0.75, "recall": 0.5, "f1": 0.6, "support": 8}}}
    card = write_model_card(
        {**METADATA, "scores": scores, "settings": {"training": {"epochs": 80, "seed": 1}}}
    )
    assert r"| genes | DNA, a\|b | Gene | IOB2 | `tag_text_genes` | `tag_tokens_genes` |" in card
    assert "| genes | test | 75.00 | 50.00 | 60.00 |" in card
    assert "| epochs | `80` |" in card
    assert "more than 256 tokens" in card
    assert "Only the first 64 characters" in card
    assert "Each corpus has its own terms of use" in card


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "not set"),
        ("", "not set"),
        ({}, "not set"),
        (True, "`true`"),
        (False, "`false`"),
        (0, "`0`"),
        (["a", "b"], "`a,b`"),
        (("a",), "`a`"),
        ({"genes": ("DNA", "RNA"), "x": ["y"]}, "`genes:DNA+RNA,x:y`"),
    ],
)
def test_settings_are_written_as_on_the_command_line(value, written):
    card = write_model_card({**METADATA, "settings": {"data": {"setting": value}}})
    assert f"| setting | {written} |" in card.splitlines()


def test_blocks_are_one_empty_line_apart():
    scores = {"genes": {"test": {"precision": 1, "recall": 1, "f1": 1}}}
    card = write_model_card({**METADATA, "scores": scores, "settings": {"data": {"a": 1}}})
    for text in (card, write_model_card(METADATA)):
        assert "\n\n\n" not in text
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_tells_the_origin_of_the_papers_corpora():
    names = ["BC2GM-IOB", "BioNLP11ID-chem-IOB", "BioNLP11", "genes"]
    card = write_model_card(with_corpora(names))
    licence = card[card.index("## Licence") :]
    assert "CC BY 4.0; each corpus is under its makers' own terms" in licence
    assert "| BC2GM-IOB | BioCreative II, gene mention task" in licence
    assert "| BioNLP11ID-chem-IOB | BioNLP 2011, infectious diseases task" in licence
    assert "| BioNLP11 |" not in licence
    assert "| genes |" not in licence


def test_every_corpus_of_the_paper_has_an_origin():
    for name in fetch.CORPORA:
        card = write_model_card(with_corpora([name]))
        assert f"| {name} | " in card[card.index("## Licence") :]


def test_leaves_out_sections_without_data():
    card = write_model_card(METADATA)
    assert [line for line in card.splitlines() if line.startswith("## ")] == [
        "## Use",
        "## Corpora",
        "## Limits",
        "## Licence",
    ]
