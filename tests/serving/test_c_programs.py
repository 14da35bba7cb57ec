"""The C programs: exports loaded by libtensorflow, as TensorFlow Serving loads them."""

from __future__ import annotations

import subprocess

import pytest

from tests.helpers import c_programs, random_tagger


def as_json(entities):
    return [
        {**entity._asdict(), "score": pytest.approx(entity.score, abs=1e-5)} for entity in entities
    ]


def test_warmup_replays_every_signature(saved_model, loaded):
    answers = {
        a["signature"]: a["outputs"] for a in c_programs.run("bioner_tag", "--warmup", saved_model)
    }
    names = {name for c in loaded.metadata["corpora"] for name in c["signatures"].values()}
    together = {"serving_default", "tag_text_all", "tag_text_candidates"}
    assert set(answers) == {*names, *together, "tag_tokens"}
    for name, shapes in answers.items():
        expected = 2 if "tokens" in name else 7 if name in together else 6
        assert len(shapes) == expected
        assert {shape[0] for shape in shapes.values()} == {1}  # dimension 0 is the batch


def test_lines_are_tagged_as_in_python(saved_model, loaded):
    # One text a line, so no line breaks. NUL is allowed: no program uses NUL-terminated strings.
    texts = [text for text in random_tagger.NASTY_TEXTS if not set(text) & set("\r\n")]
    answers = c_programs.run(
        "bioner_tag", saved_model, stdin="".join(f"{text}\n" for text in texts).encode()
    )
    assert [a["entities"] for a in answers] == [as_json(row) for row in loaded.tag_texts(texts)]


def test_arguments_are_tagged_as_a_batch_by_the_given_signature(saved_model, loaded):
    texts = ["The BRCA1 gene binds p53.", "", "in the gene"]
    name = loaded.metadata["corpora"][1]["signatures"]["text"]
    answers = c_programs.run("bioner_tag", f"--signature={name}", saved_model, *texts)
    expected = loaded.tag_texts(texts, random_tagger.AUXILIARY)
    # A signature of one corpus does not say which it is.
    named = [[{**e, "corpus": random_tagger.AUXILIARY} for e in a["entities"]] for a in answers]
    assert named == [as_json(row) for row in expected]
    assert any(expected)


def test_benchmark_reports_each_period(saved_model):
    start, *periods = c_programs.run(
        "bioner_bench", saved_model, 2, 0.2, 2, 3, stdin=b"the gene\np53\n"
    )
    assert set(start) == {"load_seconds", "first_answer_seconds"}
    assert [(period["callers"], period["batch"]) for period in periods] == [(2, 3), (2, 3)]
    for period in periods:
        assert period["requests"] >= 2
        assert 0 < period["p50_ms"] <= period["p99_ms"]
        assert period["resident_megabytes"] > 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["bioner_tag"], 2, "usage: "),
        (["bioner_tag", "--unknown", "x"], 2, "usage: "),
        (["bioner_tag", "missing", "text"], 1, "error: missing: "),
        (["bioner_bench", "missing", "0", "1"], 2, "usage: "),
    ],
)
def test_mistakes_end_in_a_line_and_a_code(tmp_path, arguments, code, message):
    program, *rest = arguments
    done = subprocess.run(
        [c_programs.build() / program, *rest],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert message in done.stderr.splitlines()[-1]
