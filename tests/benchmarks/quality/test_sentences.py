"""The benchmark of sentence splitting: that it rebuilds text and counts right."""

from __future__ import annotations

import pytest

from tests.helpers.benchmark_modules import load

sentences = load("sentences")


@pytest.mark.parametrize(
    "text",
    [
        "IL-2 (a cytokine), e.g. in mice, binds 3.5 mg/ml.",
        'It is "not found" at P < .05; see the U.S. data [12].',
        "The E. coli gene is lost!",
    ],
)
def test_running_text_is_rebuilt(text):
    from tests.helpers import reference

    tokens = [form for _, _, form in reference.tokenise(text.encode())]
    assert sentences.write_sentence(tokens) == text


def test_misses_and_false_splits_are_counted():
    found = sentences.measure(
        [
            ["It", "binds", "promoter", "B", "."],  # looks like an initial
            ["Smith", "found", "it", "."],
            ["A", "title", "without", "an", "end"],
            ["A", "PU", ".", "1", "site", "."],
        ]
    )
    assert found[:5] == (2, 1, 1, 1, 1)
    assert [example[:6] for example in found.examples] == ["missed", "false "]


def test_sentences_of_a_real_corpus_are_found(corpora_dir):
    from bioner_tf.corpora.corpus import read_split

    split = read_split(corpora_dir / "BC5CDR-IOB" / "devel.tsv")
    found = sentences.measure(sentence.tokens for sentence in split.sentences[:1500])
    assert found.missed / found.boundaries < 0.02
    assert found.false_splits / found.boundaries < 0.02
