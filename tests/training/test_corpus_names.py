"""A corpus may have any name that a directory may have."""

from __future__ import annotations

import re

import pytest

from bioner_tf.models.builder import layer_name
from bioner_tf.training.run import train
from bioner_tf.training.trained_run import load_run
from tests.helpers.synthetic_corpora import make_config, write_corpus

NAMES = ["BC2GM + genes (v2)", "Krankheiten-ä β"]


@pytest.mark.slow
def test_a_run_on_corpora_of_odd_names_trains_resumes_and_exports(tmp_path) -> None:
    for name in NAMES:
        write_corpus(tmp_path, name, sentences=8)
    for epochs in (1, 2):
        train(make_config(tmp_path, NAMES, epochs=epochs), tmp_path / "run", "")
    run = load_run(tmp_path / "run")
    assert run.tagger.corpora == NAMES
    assert set(run.report["scores"]) == set(NAMES)
    assert [path.name for path in (tmp_path / "run" / "export").iterdir()]


@pytest.mark.parametrize("name", ["gate.BC2GM-IOB", "crf.a_b/c.1", "private.u20"])
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    assert layer_name(name) == name


def test_different_names_stay_different_and_fit_tensorflow() -> None:
    names = ["a b", "a+b", "a_b", "a.u20.b", "a.u2e.u20.b", "ä", "a(b)", "a>b", "a\\b"]
    found = [layer_name(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]+", name) for name in found)
