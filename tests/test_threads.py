from __future__ import annotations

import os

import pytest

from bioner_tf import threads


@pytest.mark.parametrize(
    ("there", "most_cores", "inside", "at_once"),
    [(2, None, 1, 2), (16, None, 8, 8), (16, 7, 1, 7), (16, 8, 4, 8), (2, 7, 1, 2)],
    ids=["few", "many", "many, 7 of them", "many, 8 of them", "fewer than asked for"],
)
def test_threads_are_for_the_cores_that_count(monkeypatch, there, most_cores, inside, at_once):
    told = {}
    threading = threads.tf.config.threading
    for name in ("intra", "inter"):
        setter = f"set_{name}_op_parallelism_threads"
        monkeypatch.setattr(
            threading, setter, lambda number, name=name: told.update({name: number})
        )
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(there)))
    threads.use_threads(most_cores)
    assert told == {"intra": inside, "inter": at_once}
