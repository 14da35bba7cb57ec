from __future__ import annotations

import pytest

from bioner_tf.corpora import download
from tests.helpers.file_server import serve_files


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    with serve_files() as file_server:
        yield file_server
