"""The documents name only files that exist."""

from __future__ import annotations

import re

import pytest

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "export/README.md"] + [
    f"docs/{name}.md"
    for name in (
        "architecture",
        "evaluation",
        "experiments",
        "faq",
        "formats",
        "performance",
        "reliability",
        "training",
        "tutorial",
    )
]
FOLDERS = "bioner_tf|tests|benchmarks|flags|export|docs"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_of_a_document_exist(repository, document):
    text = (repository / document).read_text(encoding="utf-8")
    paths = re.findall(rf"(?<![\w./])(?:{FOLDERS})/[\w./-]*\.(?:py|md|flags|yml|config)\b", text)
    assert [path for path in paths if not (repository / path).exists()] == []
