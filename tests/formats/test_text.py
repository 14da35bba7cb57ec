from __future__ import annotations

import bz2
import gzip
import io
import lzma

import pytest

from bioner_tf.errors import BionerError
from bioner_tf.formats.text import read_texts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(gzip.compress(b"the gene"), "got gzip data.*gzip -cd FILE", id="gzip"),
        pytest.param(bz2.compress(b"the gene"), "got bzip2 data", id="bzip2"),
        pytest.param(lzma.compress(b"the gene"), "got xz data", id="xz"),
        pytest.param(b"PK\x03\x04\x14\x00", "got zip data", id="zip"),
        pytest.param(b"\x28\xb5\x2f\xfd\x00", "got zstd data", id="zstd"),
        pytest.param("the gene".encode("utf-16"), "got binary data", id="utf-16"),
        pytest.param("the gene".encode("utf-16-le"), "got binary data", id="utf-16-le"),
        pytest.param(b"the gene\rBRCA1\r", "got CR only", id="cr-only"),
    ],
)
def test_input_that_is_not_lines_of_text_is_refused(content, message):
    with pytest.raises(BionerError, match=message):
        list(read_texts(io.BytesIO(content), "-"))
