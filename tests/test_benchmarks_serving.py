"""The benchmarks of what is served: that they measure, and what."""

from __future__ import annotations

import importlib.util

import c_programs
import pytest


def load_benchmark(repository, name):
    spec = importlib.util.spec_from_file_location(name, repository / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sentences(repository):
    return load_benchmark(repository, "sentences")


@pytest.fixture(scope="module")
def serving(repository):
    return load_benchmark(repository, "serving")


@pytest.mark.parametrize(
    "text",
    [
        "IL-2 (a cytokine), e.g. in mice, binds 3.5 mg/ml.",
        'It is "not found" at P < .05; see the U.S. data [12].',
        "The E. coli gene is lost!",
    ],
)
def test_running_text_is_rebuilt(sentences, text):
    import reference

    tokens = [form for _, _, form in reference.tokenise(text.encode())]
    assert sentences.write_sentence(tokens) == text


def test_misses_and_false_splits_are_counted(sentences):
    found = sentences.measure(
        [
            ["It", "binds", "vitamin", "C", "."],  # looks like an initial
            ["Smith", "found", "it", "."],
            ["A", "title", "without", "an", "end"],
            ["A", "PU", ".", "1", "site", "."],
        ]
    )
    assert found[:5] == (2, 1, 1, 1, 1)
    assert [example[:6] for example in found.examples] == ["missed", "false "]


def test_sentences_of_a_real_corpus_are_found(sentences, corpora_dir):
    from bioner_tf.corpus import read_split

    split = read_split(corpora_dir / "BC5CDR-IOB" / "devel.tsv")
    found = sentences.measure(sentence.tokens for sentence in split.sentences[:1500])
    assert found.missed / found.boundaries < 0.02
    assert found.false_splits / found.boundaries < 0.02


@pytest.mark.slow
@pytest.mark.slow
def test_speed_and_soak_print_a_line_a_measurement(serving, toy_run, capsys, monkeypatch):
    monkeypatch.setattr(serving, "_CALLERS", (1,))
    monkeypatch.setattr(serving, "_SOAK_PERIODS", 2)
    program, model = c_programs.build() / "bioner_bench", toy_run / "export" / "9"
    serving.print_speed(program, model, b"the gene\n", 0.1)
    serving.print_soak(program, model, b"the gene\n", 0.2)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed if line] == [
        "load",
        "first",
        "callers",
        "1",
        "after",
        "0",
        "0",
    ]
