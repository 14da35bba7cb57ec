"""Tokenisation against Python's ``re``; sentence splitting against sentences marked by hand."""

from __future__ import annotations

import re
import sys

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from bioner_tf.text.sentences import cut_sentences, split_sentences
from bioner_tf.text.tokens import tokenise as tokenise_in_graph
from tests.helpers import reference

NASTY_TEXTS = {
    "empty": b"",
    "spaces": b" \t \xc2\xa0 \n",
    "nul": b"\x00a\x00 b\x00",
    "controls": b"a\x01b\x1cc\x1dd\x7f\x85 e",
    "underscore": b"_foo_bar_1 __init__",
    "combining": "e\u0301te\u0301 \u0301 na\u0308ive".encode(),
    "zero-width": "a\u200bb\u200dc\ufeffd".encode(),
    "byte-order-mark": b"\xef\xbb\xbfGene",
    "emoji": "p53 👩‍👩‍👧‍👦 🧬👍🏽 🇩🇪 binds".encode(),
    "right-to-left": "חלבון p53 بروتين\u202eabc".encode(),
    "cjk": "蛋白質p53と結合。 タンパク質".encode(),
    "astral": "\U0001d6fc-synuclein \U0001d7d9\U0001d7da \U00010348".encode(),
    "noncharacters": "a\ufffeb \uffff\ufdd0 \U0010ffff c".encode(),
    "replacement": "a\ufffdb".encode(),
    "bad-bytes": b"\xff\xfe p53\x80 \xc3( \xe2\x82 \xf0\x9f\x98",
    "surrogates": b"a\xed\xa0\x80b \xed\xb0\x80",
    "overlong": b"\xc0\xaf \xe0\x80\xaf \xf4\x90\x80\x80",
    "digits": "Ⅷ ½ x² ٣٤ 1,000.5".encode(),
    "gene-names": b"IL-2R alpha NF-kappaB p53/MDM2 5'-UTR (TP53) 1.5+/-0.2%",
    "one-long-token": b"ACGT" * 5000,
    "newlines": b"\n" * 3000 + b"a" + b"\r\n" * 3000,
}


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def tokenise(texts):
    return tokenise_in_graph(texts)


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def split(texts):
    tokens = tokenise_in_graph(texts)
    return tokens, split_sentences(tokens)


def tokens_of_each(texts):
    """The tokens of each text as (start, end, form), with offsets into that text."""
    tokens = tokenise(texts)
    result = [[] for _ in texts]
    columns = (tokens.text_ids, tokens.starts, tokens.ends, tokens.forms)
    for row, start, end, form in zip(*(column.numpy() for column in columns)):
        offset = tokens.text_starts[row].numpy()
        result[row].append((start - offset, end - offset, form.decode()))
    return result


def sentences_of(document):
    """The text's sentences, without the spaces between them."""
    tokens, begins = split([document.encode()])
    starts = tokens.starts.numpy()[begins.numpy()]
    ends = [*starts[1:], len(document)]
    return [document[start:end].rstrip() for start, end in zip(starts, ends)]


@pytest.mark.parametrize("name", NASTY_TEXTS)
def test_tokens_equal_pythons_regex(name):
    assert tokens_of_each([NASTY_TEXTS[name]]) == [reference.tokenise(NASTY_TEXTS[name])]


def test_texts_of_a_batch_do_not_touch_each_other():
    texts = [*NASTY_TEXTS.values(), b"", b"a", b"b", b"\r", b"\n", b"", *NASTY_TEXTS.values()]
    assert tokens_of_each(texts) == [reference.tokenise(value) for value in texts]


def test_no_text_has_no_tokens():
    assert tokens_of_each([]) == []
    tokens, begins = split(tf.constant([], tf.string))
    assert tokens.forms.shape == begins.shape == (0,)


@hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
@hypothesis.given(
    strategies.lists(
        strategies.one_of(
            strategies.text(max_size=30).map(lambda value: value.encode("utf-8", "replace")),
            strategies.binary(max_size=30),
            strategies.text("ab1. \n-_é\u0301中", max_size=30).map(str.encode),
        ),
        max_size=4,
    )
)
def test_tokens_of_any_bytes_equal_pythons(texts):
    assert tokens_of_each(tf.constant(texts, tf.string, [len(texts)])) == [
        reference.tokenise(value) for value in texts
    ]


def test_every_code_point_has_pythons_class():
    characters = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF)
    tokens = tokenise([characters.encode()])
    expected = [match.span() for match in re.finditer(r"[^\W_]+|\S", characters)]
    np.testing.assert_array_equal(np.stack([tokens.starts, tokens.ends], axis=1), expected)
    forms = tokens.forms.numpy()
    assert b"".join(forms).decode() == "".join(characters.split())


# Each entry is one text; "|" marks the ends of sentences and is not part of the text.
SPLIT_SO = {
    "plain": "BRCA1 binds RAD51.| It repairs DNA!| Does it?| Yes.",
    "digit": "It was lost.| 12 patients died.",
    "bracket": "It was lost.| (See below.)| [Note] it.",
    "quote": 'He said "it binds."| "Really?"| “Yes.”| So it does.',
    "closing": "It binds (as shown.)| We agree [twice!].| Indeed.",
    "lower-case": "It binds. and so on",
    "lower-case-gene": "It binds DNA.| p53 is lost.| mRNA rises.| c-Myc falls.| β-catenin stays.",
    "greek": "It binds.| α-synuclein falls.| ω-conotoxin blocks."
    "| Ⅷ is eight.| It took 30 min.| ǅungla is a word.",
    "no-space-capital": "at 3.5 Mg of Hsp70.The Gene and 2.B Cells",
    "quote-alone": 'It ends.| " The gene " is lost.| ( The end ) of it',
    "joined-to-small-letters": "an inhibitor of anti-m/x.| Cells of hsp-M.| Rats",
    "no-space": "IL-2.The end of Hsp70.1 at 3.5 kb",
    "decimal": "a dose of 3.5 mg and .5 ml, P < .05 at pH 7.4",
    "species": "E. coli and S. Typhimurium, Bacillus sp. Strain 1, Vibrio spp. Isolates",
    "initials": "by J. Smith and A. B. Jones of the U.S. Army",
    "literature": "Smith et al. (1998), cf. Fig. 3, Figs. 4, Ref. [12], vs. Table 2, ca. 30, no. 7",
    "latin": "mutations, e.g. R175H, i.e. Arg to His, approx. 5 kb, etc. and Dr. Smith agreed",
    "journals": "in J. Biol. Chem. 277, Proc. Natl. Acad. Sci. USA, Mol. Biol. and J. Virol. 70",
    "months": "on Jun. 12 or 12 Dec. 1999; Fos and Jun.| They bind c-Jun.| Others, etc.| More",
    "units": "for 30 min.| RNA was at 6 h.| Rats got 5 ml/min.| Serum of 3 h. (10 min. more)",
    "capitals": "patients with MS.| Later, in BV.| Vaginal CO.| Output, but Ms. Lee, bv. Trifolii",
    "lettered": "of NF-kappa B.| Activation by protein kinase C.| Cells at 65 degrees C.| PIG-M.",
    "letters": "by wild-type S. Typhimurium, of J.-P. Smith, in Fig. 2 B. Smith and 12 S. Typhi",
    "doubtful": "for hepatitis B.| We found it in Smith et al.| The end, vitamin C.| However, no.",
    "upper-abbreviation": "FIG. 2 and DR. NO",
    "tokenised": "cells ( Fig . 3 ) grow .| The E . coli gene , e . g . TP53 , dies .| End",
    "ellipsis": "and so on ...| Then it ended.",
    "blank-line": "A title without a stop|\n\nthe text|\r\n\r\nmore|\n \t\nend",
    "heading": "BACKGROUND|\nThe gene binds.|\nMETHODS|\nwe looked",
    "title": "A rather long title of an article about genes|\n"
    + "The abstract, on one long line, goes on for much longer than its title does, as usual.",
    "short-last-lines": "The tumour suppressor protein p53 binds the promoter of the gene in\n"
    "cells and is lost in many tumours|\n"
    "A heading of about forty characters in all|\n"
    "Another one of about forty characters here",
    "list": "p53|\nBRCA1|\nMDM2",
    "stop-at-line-end": "It binds to the promoter.|\nand then it does not.",
    "wrapped": "The tumour suppressor protein that is encoded by the\n"
    "TP53 gene binds the promoter, as it does in E.\n"
    "coli and in the cells of patients with a\nmutation of it",
    "mac-lines": "Heading|\rText",
    "unicode-lines": "Heading|\u2028Text|\u2029\u2029More",
}


@pytest.mark.parametrize("name", SPLIT_SO)
def test_sentences_end_where_the_rules_say(name):
    expected = [part.strip() for part in SPLIT_SO[name].split("|")]
    assert sentences_of(SPLIT_SO[name].replace("|", "")) == expected


def test_one_long_text_among_many_short_ones_takes_little_memory():
    # A tensor of size texts x longest text would take 8 GB here.
    tokens = tokenise([b"a " * 100_000, *[b"b"] * 40_000])
    assert tokens.forms.shape == (140_000,)


def test_a_text_splits_the_same_in_any_batch():
    documents = [document.replace("|", "") for document in SPLIT_SO.values()]
    _, begins = split([document.encode() for document in documents])
    alone = [split([document.encode()])[1].numpy() for document in documents]
    np.testing.assert_array_equal(begins, np.concatenate(alone))


def test_the_end_of_one_text_does_not_affect_the_next():
    texts = ["Smith et al", ". Gene", "in 5", "h. Rats", "protein", "S. Typhi", "mg/", "h. It", "-"]
    for second in texts:
        alone = split([second.encode()])[1].numpy()
        for first in texts:
            _, begins = split([first.encode(), second.encode()])
            np.testing.assert_array_equal(begins[-len(alone) :], alone, (first, second))


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_long_sentences_are_cut_from_their_start(limit):
    lengths = [1, 7, 3, 2, 6]
    begins = np.concatenate([[True] + [False] * (length - 1) for length in lengths])
    pieces = np.flatnonzero(cut_sentences(tf.constant(begins), limit).numpy())
    expected, start = [], 0
    for length in lengths:
        expected += range(start, start + length, limit)
        start += length
    assert pieces.tolist() == expected
    assert cut_sentences(tf.zeros([0], tf.bool), limit).shape == (0,)
