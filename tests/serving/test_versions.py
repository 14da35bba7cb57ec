"""A directory of versions: removing old ones, finding the newest."""

from __future__ import annotations

import shutil

from bioner_tf.serving.versions import find_saved_model, prune_versions


def test_old_versions_are_pruned_and_nothing_else(saved_model, tmp_path):
    for version in ("2", "3", "10"):
        (tmp_path / version / "assets.extra").mkdir(parents=True)
        shutil.copy(
            saved_model / "assets.extra" / "tagger.metadata", tmp_path / version / "assets.extra"
        )
    (tmp_path / "1").mkdir()  # not an export of bioner_tf
    (tmp_path / "20").mkdir()
    assert prune_versions(tmp_path, keep=3) == []
    assert prune_versions(tmp_path, keep=1) == [2, 3]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["1", "10", "20"]
    assert prune_versions(tmp_path / "missing", keep=1) == []


def test_finds_the_newest_version(served_run, tmp_path):
    for version in ("10", "9"):
        shutil.copytree(served_run / "export" / "9", tmp_path / "export" / version)
    (tmp_path / "export" / "11").mkdir()
    (tmp_path / "export" / "latest").mkdir()
    newest = tmp_path / "export" / "10"
    for path in (newest, tmp_path / "export", tmp_path, str(tmp_path)):
        assert find_saved_model(path) == newest
