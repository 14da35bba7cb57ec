from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest

from bioner_tf.config import STRUCTURES
from bioner_tf.errors import BionerError
from bioner_tf.experiments.reports import figures
from bioner_tf.experiments.reports.origin import Origin, describe_machine
from bioner_tf.experiments.reports.page import build_page, print_page, write_page
from bioner_tf.experiments.reports.tables import groups_csv
from bioner_tf.experiments.sweeps.estimate import DEFAULT_SECONDS
from bioner_tf.pages.blocks import (
    LEFT,
    RIGHT,
    Heading,
    Paragraph,
    csv_table,
    markdown_table,
)
from bioner_tf.pages.html import to_html
from bioner_tf.runs.collection import collect_runs
from bioner_tf.runs.groups import Summary, group_runs
from tests.helpers.run_records import write_run

ORIGIN = Origin("bioner-report --sweep_dir=sweep", "a machine", "2030-01-02")
PAIR = ("main", "other")


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, the header first."""
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells[0], *cells[2:]]


def page_of(directory) -> str:
    return print_page(build_page(collect_runs(directory), ORIGIN, pictures=False))


def csv_of(directory) -> str:
    return groups_csv(group_runs(collect_runs(directory).runs)[0])


def test_summary_is_mean_and_sample_deviation():
    # By hand: the mean of 0.70, 0.72, 0.77 is 0.73; squares 9 + 1 + 16 = 26, 26 / 2 = 13.
    summary = Summary((0.70, 0.72, 0.77))
    assert summary.mean == pytest.approx(0.73)
    assert summary.deviation == pytest.approx(math.sqrt(13) / 100)
    assert summary.percent() == "73.00 ± 3.61"
    assert Summary((0.5,)).percent() == "50.00"


def test_every_structure_has_a_colour_and_a_speed():
    assert set(figures.STYLES) == set(DEFAULT_SECONDS) == set(STRUCTURES)


def test_seeds_of_one_setting_become_one_row(tmp_path):
    for seed, f1 in [(3, 0.77), (1, 0.70), (2, 0.72)]:
        write_run(tmp_path / f"deep/er/s{seed}", "cross_sharing", PAIR, f1, seed=seed)
    write_run(tmp_path / "stm", f1=0.69)
    header, stm, cross = rows_of(page_of(tmp_path), "main")
    stm, cross = dict(zip(header, stm)), dict(zip(header, cross))
    assert stm["structure"] == "STM (`single_task`)"
    assert (stm["seeds"], stm["F1"]) == ("1", "69.00")
    assert (cross["with"], cross["seeds"], cross["F1"]) == ("other", "3", "**73.00 ± 3.61**")
    assert cross["parameters"] == "2,640,000"


SETTINGS = ("with", "CRF", "epochs", "trained on", "settings")


@pytest.mark.parametrize(
    "other",
    [
        {"data": {"keep_fraction": 0.5}},
        {"data": {"train_on": "train,devel"}},
        {"data": {"types": {"main": ("Gene", "RNA")}}},
        {"model": {"crf": "pairwise"}},
        {"training": {"batch_size": 8}},
        {"epochs": 4},
    ],
    ids=lambda other: str(next(iter(other.values()))),
)
def test_runs_of_other_settings_are_other_rows(tmp_path, other):
    write_run(tmp_path / "a", f1=0.6)
    write_run(tmp_path / "b", f1=0.5, seed=2, **other)
    header, *rows = rows_of(page_of(tmp_path), "main")
    assert [row[header.index("seeds")] for row in rows] == ["1", "1"]
    settings = [column for column, name in enumerate(header) if name in SETTINGS]
    first, second = ([row[column] for column in settings] for row in rows)
    assert first != second


def test_scores_stand_where_a_narrow_window_shows_them(tmp_path):
    long = ("main", *(f"a-corpus-with-a-long-name-{number}" for number in range(5)))
    write_run(tmp_path / "a", "cross_sharing", long, data={"keep_fraction": 0.25})
    write_run(tmp_path / "b")
    header = rows_of(page_of(tmp_path), "main")[0]
    assert header[:4] == ["structure", "F1", "precision", "recall"]
    assert header[-1] == "settings"


def test_places_do_not_make_another_setting(tmp_path):
    write_run(tmp_path / "a", data={"vectors": "/here/words.bin"}, seed=1)
    write_run(tmp_path / "b", data={"vectors": "/there/words.bin"}, seed=2)
    groups, _ = group_runs(collect_runs(tmp_path).runs)
    assert [group.seeds for group in groups] == [(1, 2)]


def test_shared_settings_are_told_once_and_others_in_their_column(tmp_path):
    write_run(tmp_path / "a", data={"vectors": "/here/words.bin"})
    write_run(tmp_path / "b", data={"vectors": "/here/words.bin", "keep_fraction": 0.25})
    page = page_of(tmp_path)
    assert "All runs below use `vectors=words.bin`." in page
    header, *rows = rows_of(page, "main")
    column = header.index("settings")
    assert sorted(row[column] for row in rows) == ["", "`keep_fraction=0.25`"]
    assert "settings" not in rows_of(page_of(tmp_path / "a"), "main")[0]


def test_each_main_corpus_has_its_best(tmp_path):
    write_run(tmp_path / "a", f1=0.6)
    write_run(tmp_path / "b", "cross_sharing", PAIR, 0.7)
    write_run(tmp_path / "c", f1=0.1, corpora=("second",))
    page = page_of(tmp_path)
    assert re.findall(r"\*\*([\d.]+)\*\*", page) == ["70.00", "10.00"]
    assert page.index("## main") < page.index("## second")


def test_what_is_in_no_table_is_told_with_the_reason(tmp_path):
    write_run(tmp_path / "done")
    write_run(tmp_path / "killed", f1=None, epochs=80, epochs_done=7)
    write_run(tmp_path / "attic/done")
    write_run(tmp_path / "zero", epochs=0)
    report = json.loads((tmp_path / "zero/report.json").read_text())
    (tmp_path / "zero/report.json").write_text(json.dumps({**report, "scores": {}}))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn/config.json").write_text('{"data":')
    _, *rows = rows_of(page_of(tmp_path), "Not in the tables")
    reasons = dict(rows)
    assert reasons["killed"] == "unfinished: 7 of 80 epochs"
    assert reasons["attic/done"] == "repeats done"
    assert reasons["zero"] == "no test scores; 870,000 parameters"
    assert reasons["torn"].startswith("unreadable: config.json: expected JSON")
    assert "done" not in reasons


def test_run_that_goes_on_with_more_epochs_is_unfinished(tmp_path):
    write_run(tmp_path / "a", epochs=2)
    config = json.loads((tmp_path / "a/config.json").read_text())
    config["training"]["epochs"] = 4
    (tmp_path / "a/config.json").write_text(json.dumps(config))
    (run,) = collect_runs(tmp_path).runs
    assert not run.finished


def test_csv_holds_the_same_in_full_precision(tmp_path):
    write_run(tmp_path / "a", "cross_sharing", PAIR, 0.70, seed=1, precision=0.8, recall=0.625)
    write_run(tmp_path / "b", "cross_sharing", PAIR, 0.72, seed=2, precision=0.9, recall=0.6)
    (row,) = csv.DictReader(io.StringIO(csv_of(tmp_path)))
    assert (row["main"], row["structure"], row["auxiliary"]) == ("main", "cross_sharing", "other")
    assert (row["seeds"], row["parameters"]) == ("1 2", "2640000")
    assert float(row["precision_mean"]) == pytest.approx(0.85)
    assert float(row["f1_sd"]) == pytest.approx(math.sqrt(2) / 100)


@pytest.mark.parametrize(("made", "told"), [(False, "directory of runs"), (True, "run dir")])
def test_nothing_to_collect_is_an_error(tmp_path, made, told):
    directory = tmp_path / "sweep"
    if made:
        directory.mkdir()
    with pytest.raises(BionerError, match=told):
        collect_runs(directory)


def test_page_tells_no_place_on_the_machine(tmp_path):
    write_run(tmp_path / "torn")
    (tmp_path / "torn/report.json").write_text("{}")
    write_run(tmp_path / "fine", data={"vectors": "/there/words.bin"})
    paths = {"sweep_dir": str(tmp_path), "output": "docs/results.md", "other": None}
    made = Origin.here_and_now("bioner-report", paths)
    page = print_page(build_page(collect_runs(tmp_path), made, pictures=False))
    assert str(tmp_path) not in page
    assert "/there" not in page + csv_of(tmp_path)
    assert made.command == f"bioner-report --sweep_dir={tmp_path.name} --output=docs/results.md"


def test_machine_is_told_by_its_cpu(tmp_path):
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("processor\t: 0\nmodel name\t: Abacus 3000\n")
    assert re.fullmatch(r"Abacus 3000, \d+ cores?", describe_machine(cpu_info))
    assert re.fullmatch(r".+, \d+ cores?", describe_machine(tmp_path / "none"))


def test_markdown_table_is_aligned_and_escapes_bars():
    assert markdown_table(["a", "number"], [["x|y", "1"]], [LEFT, RIGHT]).splitlines() == [
        "| a    | number |",
        "| ---- | -----: |",
        "| x\\|y |      1 |",
    ]


def test_csv_leaves_unknown_numbers_empty():
    assert csv_table(["a", "b"], [["x,y", None]]) == 'a,b\n"x,y",\n'


def test_page_is_written_with_all_that_belongs_to_it(tmp_path):
    for structure, f1 in [("single_task", 0.6), ("cross_sharing", 0.7)]:
        corpora = ("Ex-PTM-IOB", "BioNLP09-IOB")[: 1 if structure == "single_task" else 2]
        write_run(tmp_path / "sweep" / structure, structure, corpora, f1)
    collection = collect_runs(tmp_path / "sweep")
    page = build_page(collection, ORIGIN)
    (tmp_path / "docs/results").mkdir(parents=True)
    outdated, foreign = (tmp_path / f"docs/results/figure-{name}.png" for name in ("9-old", "mine"))
    outdated.touch()
    foreign.touch()
    (tmp_path / "docs/results.md").write_text("![F1](results/figure-9-old.png) figure-mine.png")
    written = write_page(tmp_path / "docs/results.md", page, collection)
    # Only pictures that the earlier page shows are removed, never other files.
    assert not outdated.exists()
    assert foreign.exists()
    names = [path.relative_to(tmp_path / "docs").as_posix() for path in written]
    assert names[:3] == ["results.md", "results.html", "results.csv"]
    assert names[3:] == [
        "results/figure-1-precision-recall.png",
        "results/figure-1-learning-curves.png",
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[3:])
    markdown = written[0].read_text(encoding="utf-8")
    assert all(f"]({name})" in markdown for name in names[3:])
    html = written[1].read_text(encoding="utf-8")
    assert html.count("<svg") == html.count("</svg>") == 2
    assert '<td class="right"><b>70.00</b></td>' in html
    # The page loads nothing else; the only URLs are XML namespaces in matplotlib's pictures.
    assert not re.search(r'(src|href)="(?!#)(?!http://www\.w3\.org)', html)


def test_same_runs_give_the_same_page(tmp_path):
    write_run(tmp_path / "sweep/a", "single_task", ("Ex-PTM-IOB",), 0.6)
    collection = collect_runs(tmp_path / "sweep")
    first, second = (
        [path.read_bytes() for path in write_page(tmp_path / name / "results.md", page, collection)]
        for name, page in ((n, build_page(collection, ORIGIN)) for n in "ab")
    )
    assert first == second


def test_markup_is_escaped_in_html():
    blocks = [Heading(1, "a < b"), Paragraph("`x<y>` and **bold & more**")]
    html = to_html(blocks, "<title>")
    assert "<h1>a &lt; b</h1>" in html
    assert "<p><code>x&lt;y&gt;</code> and <b>bold &amp; more</b></p>" in html
    assert "<title>&lt;title&gt;</title>" in html


def test_a_legend_of_all_structures_fits_into_a_single_panel() -> None:
    pytest.importorskip("matplotlib")
    figure, panels = figures._new_figure(1)
    for name in ("STM", "FS-MTM", "SP-MTM", "ADV-MTM", "CS-MTM"):
        panels[0].plot([0, 1], [0, 1], label=name)
    figures._with_legend(figure, panels)
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_runs_on_other_versions_of_a_corpus_are_other_rows_and_the_page_says_so(tmp_path):
    for seed, version in ((1, "old"), (2, "old"), (3, "new")):
        run = write_run(tmp_path / f"s{seed}", seed=seed)
        (run / "corpora.json").write_text(json.dumps({"main": {"train": version}}))
    page = page_of(tmp_path)
    assert "These runs read different versions of `main`." in page
    header, *rows = rows_of(page, "main")
    assert sorted(row[header.index("seeds")] for row in rows) == ["1", "2"]
