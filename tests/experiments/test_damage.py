"""Damages run directories at random: a command must continue or report it in one line."""

from __future__ import annotations

import contextlib
import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioner_tf.corpora.corpus import Sentence, write_predictions
from bioner_tf.errors import BionerError
from bioner_tf.experiments.partners.ranking import rank_candidates
from bioner_tf.experiments.reports.cases import to_html, to_text
from bioner_tf.experiments.reports.compare import compare
from bioner_tf.experiments.reports.origin import Origin
from bioner_tf.experiments.reports.page import build_page, print_page
from bioner_tf.experiments.sweeps.listing import list_cells
from bioner_tf.experiments.sweeps.local import Resources, run_cells
from bioner_tf.experiments.sweeps.plan import Plan
from bioner_tf.pages.html import to_html as page_to_html
from bioner_tf.runs.collection import collect_runs
from tests.helpers.run_records import write_run
from tests.helpers.synthetic_corpora import write_corpus

FILES = ["config.json", "report.json", "metrics.jsonl", "corpora.json", "failure.json"]
FILES.append("predictions/Ex-PTM-IOB.test.tsv")
MAIN, OTHER = "Ex-PTM-IOB", "BioNLP09-IOB"
PLAN = Plan(structures=["single_task", "cross_sharing"], pairs=[(MAIN, OTHER)], epochs=2)


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    root = tmp_path_factory.mktemp("intact")
    for name in (MAIN, OTHER):
        write_corpus(root / "data", name)
    for cell in PLAN.cells():
        run = write_run(root / "sweep" / cell.name, cell.structure, cell.corpora)
        splits = dict.fromkeys(("train", "devel", "test"), "0" * 64)
        (run / "corpora.json").write_text(json.dumps(dict.fromkeys(cell.corpora, splits)))
        (run / "failure.json").write_text('{"error": "out of memory"}')
        sentences = [Sentence(("Nef", "binds"), ("B-X", "O"))]
        write_predictions(run / f"predictions/{MAIN}.test.tsv", sentences, [("O", "O")])
    return root


def places_in(value):
    """Yields every place in a JSON value: its dict or list, and the key or index in it."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places_in(value[key])


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 2**70),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.just([{"a": 1}]),
)


@st.composite
def damages(draw):
    """Draws a file and a change to its content."""
    file = draw(st.sampled_from(FILES))
    kind = draw(st.sampled_from(["cut", "flip", "value", "value", "value", "remove"]))
    place = draw(st.integers(0, 10_000))
    junk = draw(JUNK)

    def damage(content: bytes) -> bytes:
        at = place % max(1, len(content))
        if kind == "cut":
            return content[:at]
        if kind == "flip":
            return content[:at] + bytes([place % 256]) + content[at + 1 :]
        lines = content.decode().splitlines() if file == "metrics.jsonl" else [content.decode()]
        try:
            whole = [json.loads(lines[-1])]
        except ValueError:
            return b""
        places = list(places_in(whole))
        holder, key = places[place % len(places)]
        if kind == "remove" and holder is not whole:
            del holder[key]
        else:
            holder[key] = junk
        return "\n".join([*lines[:-1], json.dumps(whole[0])]).encode()

    return file, damage


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=damages(), first=st.booleans())
@pytest.mark.slow
def test_no_damage_of_a_run_directory_is_a_traceback(intact, tmp_path, damage, first):
    file, change = damage
    shutil.rmtree(tmp_path / "all", ignore_errors=True)
    shutil.copytree(intact, tmp_path / "all")
    sweep, data = tmp_path / "all/sweep", str(tmp_path / "all/data")
    cells = PLAN.cells()
    runs = [sweep / cell.name for cell in cells]
    path = runs[not first] / file
    path.write_bytes(change(path.read_bytes()))
    fails = Resources(data, trainer=("/bin/false",))
    for command in (
        lambda: report(sweep),
        lambda: [show(compare(*map(str, runs))) for show in (to_text, to_html)],
        lambda: str(rank_candidates(data, MAIN, sweep_dir=sweep)),
        lambda: list_cells(sweep, cells, data, "."),
        lambda: run_cells(sweep, cells, fails, lambda line: None),
    ):
        # app.run reports both errors in one line.
        with contextlib.suppress(BionerError, OSError):
            command()


def report(sweep):
    page = build_page(collect_runs(sweep), Origin("made", "here", "today"), pictures=False)
    print_page(page)
    page_to_html(page, "title")
