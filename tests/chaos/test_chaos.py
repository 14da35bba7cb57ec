"""A little of every part of the chaos suite; ``make chaos`` does much of it."""

from __future__ import annotations

import pytest

from tests.chaos import corpora, damage, kills, table, texts


def test_damaged_corpus_files_are_read_or_refused_in_one_line(tmp_path):
    result = corpora.run(tmp_path, 1000, 60.0, seed=0)
    assert not result.failures
    [[tried, *outcomes, failures]] = result.rows
    assert (sum(outcomes), failures) == (tried, 0)
    assert min(outcomes) > 0


def test_generated_texts_get_answers_that_fit_them(served_run):
    result = texts.tag_texts(served_run / "export" / "9", 400, 60.0, seed=0)
    assert not result.failures
    [[tried, _, entities, alone, _]] = result.rows
    assert tried == 400
    assert entities > 200
    assert alone == 2


@pytest.fixture
def commands(tmp_path):
    try:
        commands = kills.Commands(tmp_path)
    except kills.NoCompilerError as error:
        pytest.skip(str(error))
    yield commands
    commands.close()


def test_a_fetch_that_is_killed_anywhere_ends_as_one_that_was_not(tmp_path, commands):
    calm, trial = tmp_path / "calm", tmp_path / "trial"
    with kills.fetch_case() as case:
        operations = commands.run(case, calm).operations
        # Each time some operations farther, until nothing is left to do.
        for at in range(3, operations, operations // 7):
            assert commands.run(case, trial, at).code in (0, kills.KILLED)
        assert commands.run(case, trial).code == 0
        assert operations > 100
        assert kills.difference(case.result(trial), case.result(calm)) == ""


def test_without_a_compiler_the_kills_are_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(kills.shutil, "which", lambda name: None)
    with pytest.raises(kills.NoCompilerError, match=r"a C compiler \(cc\)"):
        kills.Commands(tmp_path)


@pytest.mark.parametrize(
    ("code", "log", "same", "ended", "wrong"),
    [
        (0, "", True, "same result", ""),
        (0, "", False, "same result", "another result"),
        (1, "epoch 1/3\nerror: run/x: damaged\n", False, "one line", ""),
        (1, "Traceback (most recent call last):\nerror: x\n", False, "one line", "exit code 1"),
        (1, "error: a\nerror: b\n", False, "one line", "exit code 1"),
        (99, "error: a\n", False, "one line", "exit code 99"),
    ],
    ids=["same", "other", "told", "traceback", "two-lines", "crash"],
)
def test_what_counts_as_a_failure(code, log, same, ended, wrong):
    found, failure = damage.judge(code, log, same)
    assert found == ended
    assert failure.startswith(wrong) if wrong else failure == ""


def test_a_table_replaces_the_one_between_its_marks(tmp_path):
    document = tmp_path / "r.md"
    before = "a\n<!-- table kills -->\nold\n<!-- end -->\nb\n<!-- table texts -->\n<!-- end -->\n"
    document.write_text(before, encoding="utf-8")
    result = table.Result(["command", "kills"], [["`bioner-tag`", 12345]], [])
    table.write_table("kills", table.to_markdown(result, 7, 90.0), document)
    lines = document.read_text(encoding="utf-8").splitlines()
    assert lines[1:6] == [
        "<!-- table kills -->",
        "",
        "| command | kills |",
        "| --- | ---: |",
        "| `bioner-tag` | 12,345 |",
    ]
    assert lines[7].startswith("Seed 7, ")
    assert lines[9:] == ["<!-- end -->", "b", "<!-- table texts -->", "<!-- end -->"]
    # Also where there is no table yet.
    table.write_table("texts", "new\n", document)
    assert document.read_text(encoding="utf-8").splitlines()[9:] == [
        *("<!-- end -->", "b", "<!-- table texts -->", "new", "<!-- end -->")
    ]
    with pytest.raises(SystemExit, match="a line <!-- table damage -->"):
        table.write_table("damage", "", document)
