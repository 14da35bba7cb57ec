from __future__ import annotations

import pytest

from bioner_tf.experiments.paper.claims import CLAIMS, FAILS, HOLDS, NOT_RUN
from bioner_tf.experiments.paper.experiments import MAINS, arrange, corpus_name, vectors_name
from bioner_tf.experiments.paper.layouts import paper_tables
from bioner_tf.experiments.reports import figures
from bioner_tf.experiments.reports.origin import Origin
from bioner_tf.experiments.reports.page import build_page
from bioner_tf.pages.blocks import Table, to_markdown
from bioner_tf.runs.collection import collect_runs
from bioner_tf.runs.groups import default_settings, group_runs
from tests.helpers.run_records import write_run

EX_PTM, BIONLP09 = "Ex-PTM-IOB", "BioNLP09-IOB"
STRUCTURES = ("single_task", "fully_shared", "shared_private", "adversarial", "cross_sharing")


def write_row(directory, f1s, main=EX_PTM, auxiliary=BIONLP09, seeds=(1,), **options):
    """Runs of some structures on a main corpus, each with the given mean F1."""
    for structure, f1 in f1s.items():
        corpora = (main,) if structure == "single_task" else (main, auxiliary)
        for seed in seeds:
            name = f"{structure}-{'+'.join(corpora)}-{len(list(directory.glob('*')))}"
            write_run(directory / name, structure, corpora, f1 + 0.001 * seed, seed=seed, **options)


def results_of(directory):
    groups, _ = group_runs(collect_runs(directory).runs)
    return arrange(groups, default_settings())


def table_of(blocks):
    return next(block for block in blocks if isinstance(block, Table))


def verdicts(results, table):
    found = {}
    for claim in CLAIMS:
        if claim.table == table:
            for main in claim.mains:
                found[claim.text, main] = claim.verdict(results, main)
    return found


@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("BC2GM-IOB", (), "BC2GM"),
        ("linnaeus-IOB", (), "Linnaeus"),
        ("JNLPBA", (), "JNLPBA"),
        ("BioNLP11ID-ggp-IOB", (), "BioNLP11ID-ggp"),
        ("BioNLP11ID-IOB", ("Organism",), "BioNLP11ID-species"),
        ("my-genes", ("Gene",), "my-genes-Gene"),
    ],
)
def test_corpora_have_the_papers_names(name, types, expected):
    assert corpus_name(name, types) == expected


def test_vectors_have_the_papers_names():
    assert vectors_name("some/where/PubMed-and-PMC-w2v.bin.gz") == "PMC + PubMed"
    assert vectors_name("mine.txt") == "mine"
    assert vectors_name("") == ""


def test_table_2_has_the_papers_layout(tmp_path):
    write_row(tmp_path, dict(zip(STRUCTURES, (0.69, 0.68, 0.70, 0.71, 0.74))), seeds=(1, 2))
    (results,) = results_of(tmp_path)
    table, tests, _ = (b for b in paper_tables(results)[2] if isinstance(b, Table))
    assert table.header[2:] == ["STM", "FS-MTM", "SP-MTM", "ADV-MTM", "CS-MTM"]
    assert [row[:2] for row in table.rows[3:6]] == [
        ["Ex-PTM (+ BioNLP09)", "P"],
        ["", "R"],
        ["", "F1"],
    ]
    assert table.rows[5][2:] == [
        "69.15 ± 0.07",
        "68.15 ± 0.07 ↓",
        "70.15 ± 0.07 ↑",
        "71.15 ± 0.07 ↑",
        "**74.15 ± 0.07** ↑",
    ]
    assert table.rows[2][2:] == ["–"] * 5
    assert [row[0] for row in tests.rows] == [
        f"{s}-MTM on Ex-PTM" for s in ("FS", "SP", "ADV", "CS")
    ]
    assert tests.rows[3][4] == "yes"


def test_statements_hold_or_not_or_are_not_run(tmp_path):
    f1s = {"single_task": 0.69, "fully_shared": 0.68, "cross_sharing": 0.74}
    write_row(tmp_path, f1s)
    (results,) = results_of(tmp_path)
    found = verdicts(results, 2)
    assert found["CS-MTM is better than STM", "Ex-PTM"] == HOLDS
    assert found["FS-MTM is better than STM", "Ex-PTM"] == FAILS
    assert found["SP-MTM is better than STM", "Ex-PTM"] == NOT_RUN
    assert found["CS-MTM is better than STM", "BC2GM"] == NOT_RUN
    assert ("FS-MTM is worse than STM", "Ex-PTM") not in found


def test_every_statement_can_be_judged(tmp_path, monkeypatch):
    """With every cell of the paper run, each statement either holds or does not."""
    partners = dict(zip(MAINS, ("JNLPBA", BIONLP09, BIONLP09, "BC5CDR-IOB")))
    others = ["JNLPBA", BIONLP09, "BioNLP11ID-IOB", "BioNLP13PC-IOB", "BC5CDR-IOB"]
    others += [f"BioNLP11ID-{suffix}-IOB" for suffix in ("chem", "ggp", "species")]
    files = ["glove.6B.100d.txt", "PMC-w2v.bin", "PubMed-w2v.bin", "PubMed-and-PMC-w2v.bin"]
    files.append("wikipedia-pubmed-and-PMC-w2v.bin")
    ends = {"single_task": 0.6, "cross_sharing": 0.7}
    for name, partner in partners.items():
        main = f"{name}-IOB"
        glove = {"vectors": files[0]}
        write_row(tmp_path, dict.fromkeys(STRUCTURES, 0.65), main, partner, (1, 2), data=glove)
        for auxiliary in others:
            if auxiliary != partner:
                write_row(tmp_path, {"cross_sharing": 0.7}, main, auxiliary, data=glove)
        for fraction in (0.5, 0.25, 0.1):
            write_row(tmp_path, ends, main, partner, data={**glove, "keep_fraction": fraction})
        for file in files[1:]:
            write_row(tmp_path, ends, main, partner, data={"vectors": file})
    (results,) = results_of(tmp_path)
    assert results.vectors == "GloVe"
    for claim in CLAIMS:
        for main in claim.mains:
            assert claim.verdict(results, main) in (HOLDS, FAILS), (claim.text, main)
    tables = paper_tables(results)
    assert sorted(tables) == [2, 3, 4, 5, 6, 7]
    assert "not run" not in to_markdown(block for blocks in tables.values() for block in blocks)
    # Writing pictures takes seconds, and test_report.py does it.
    monkeypatch.setattr(figures, "_render", lambda figure, name, text: figure)
    drawn = figures.draw_pictures(results, "x")
    assert {table: len(pictures) for table, pictures in drawn.items()} == {2: 2, 4: 1, 6: 1}


def test_table_4_marks_the_best_partner(tmp_path):
    write_row(tmp_path, {"single_task": 0.69})
    write_row(tmp_path, {"cross_sharing": 0.74})
    write_row(tmp_path, {"cross_sharing": 0.68}, auxiliary="BC5CDR-IOB")
    (results,) = results_of(tmp_path)
    table = table_of(paper_tables(results)[4])
    row = dict(zip(table.header, table.rows[1]))
    assert row["BioNLP09"] == "**74.10** ↑"
    assert row["BC5CDR"] == "68.10 ↓"
    assert row["JNLPBA"] == "–"


def test_types_of_one_corpus_fill_table_5(tmp_path):
    only = {"types": {"BioNLP11ID-IOB": ("Protein",)}}
    write_row(tmp_path, {"single_task": 0.69})
    write_row(tmp_path, {"cross_sharing": 0.7}, auxiliary="BioNLP11ID-IOB", data=only)
    (results,) = results_of(tmp_path)
    table = table_of(paper_tables(results)[5])
    assert dict(zip(table.header, table.rows[1]))["BioNLP11ID-ggp"] == "**70.10** ↑"


def test_weights_of_the_losses_are_compared_on_devel(tmp_path):
    for alpha, f1 in [(0.0, 0.6), (0.1, 0.7)]:
        weights = {"alpha": alpha, "beta": 0.01}
        write_row(tmp_path, {"adversarial": f1}, training=weights)
    (results,) = results_of(tmp_path)
    table = table_of(paper_tables(results)[0])
    assert table.header == ["Ex-PTM + BioNLP09, devel", "β = 0", "β = 0.01", "β = 0.001"]
    assert [row[2] for row in table.rows] == ["61.10", "71.10", "–"]


def test_other_protocols_are_not_set_side_by_side(tmp_path):
    write_row(tmp_path, {"single_task": 0.69, "cross_sharing": 0.7}, epochs=40)
    write_row(tmp_path, {"cross_sharing": 0.8}, epochs=2)
    first, second = results_of(tmp_path)
    assert (len(first.groups), len(second.groups)) == (2, 1)
    assert first.settings == {"epochs": 40}


def test_own_corpora_have_no_place_in_the_papers_tables(tmp_path):
    write_row(tmp_path, {"single_task": 0.69, "cross_sharing": 0.7}, "mine", "other")
    (results,) = results_of(tmp_path)
    assert paper_tables(results) == {}
    assert figures.draw_pictures(results, "x") == {}


def test_of_two_groups_in_one_place_the_page_names_the_one_that_it_leaves_out(tmp_path):
    ready_made, cut = (EX_PTM, "BioNLP11ID-species-IOB"), (EX_PTM, "BioNLP11ID-IOB")
    types = {"types": {"BioNLP11ID-IOB": ("Organism",)}}
    write_run(tmp_path / "a-cut", "cross_sharing", cut, 0.6, data=types)
    write_run(tmp_path / "ready-made", "cross_sharing", ready_made, 0.7)
    write_run(tmp_path / "stm", "single_task", (EX_PTM,), 0.5)
    write_run(tmp_path / "best", "cross_sharing", (EX_PTM, BIONLP09), 0.7)
    (results,) = results_of(tmp_path)
    assert results.f1("cross_sharing", "Ex-PTM", auxiliary="BioNLP11ID-species") == 0.7
    assert results.left_out == ("Not in these tables: `a-cut`; its place there has `ready-made`.",)
    page = build_page(collect_runs(tmp_path), Origin("made", "here", "today"), pictures=False)
    assert results.left_out[0] in to_markdown(page)
