from __future__ import annotations

import pytest

from bioner_tf.formats import highlight
from bioner_tf.formats.registry import FORMATS, READERS, WRITERS, describe, find_writer


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_or_written_and_described(name):
    assert name in READERS or name in WRITERS
    assert FORMATS[name].help in describe([name])


def test_a_terminal_gets_its_own_writer_if_the_format_has_one():
    assert find_writer("highlight", on_terminal=True) is highlight.to_colours
    assert find_writer("highlight", on_terminal=False) is highlight.to_brackets
    assert find_writer("jsonl", on_terminal=True) is WRITERS["jsonl"]
