"""The deployment kit of export/: servers can read it, and its files agree."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess

import pytest
from google.protobuf import text_format

from tests.helpers import fake_server


@pytest.fixture(scope="module")
def kit(repository):
    return repository / "export"


def test_models_config_is_one_of_tensorflow_servings(kit):
    protos = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2",
        reason="tensorflow-serving-api is not installed",
    )
    config = text_format.Parse((kit / "models.config").read_text(), protos.ModelServerConfig())
    [model] = config.model_config_list.config
    assert model.name == fake_server.MODEL
    assert model.base_path == "/models/tagger"
    assert model.model_version_policy.latest.num_versions == 2
    # "bioner-export --keep_versions" removes the version of any label in the end.
    assert not model.version_labels


def test_the_recipe_for_labels_fits_into_models_config(kit):
    protos = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2",
        reason="tensorflow-serving-api is not installed",
    )
    readme = (kit / "README.md").read_text(encoding="utf-8")
    [label] = re.findall(r"^ *(version_labels \{.*\})$", readme, re.MULTILINE)
    [policy] = re.findall(r"`(specific \{.*\})`", readme)
    model = text_format.Parse(label, protos.ModelConfig())
    text_format.Parse(f"model_version_policy {{ {policy} }}", model)
    assert f"labels/{next(iter(model.version_labels))}:predict" in readme
    assert set(model.version_labels.values()) < set(model.model_version_policy.specific.versions)


def test_compose_file_mounts_what_it_reads(kit):
    compose = (kit / "docker-compose.yml").read_text()
    mounted = dict(re.findall(r"- \./(\S+?):(\S+?):ro", compose))
    assert mounted
    for name, place in mounted.items():
        assert (kit / name).is_file()
        assert f"={place}" in compose
    assert "image: tensorflow/serving:" in compose


def test_health_check_asks_for_an_available_model(kit):
    if shutil.which("bash") is None:
        pytest.skip("no bash here, which the health check needs")
    compose = (kit / "docker-compose.yml").read_text()
    [check] = re.findall(r">-\n((?: {10}.*\n)+)", compose)
    command = " ".join(check.split())
    with fake_server.serve_rest(fake_server.Server({})) as port:
        asked = command.replace("8501", str(port))
        assert subprocess.run(["bash", "-c", asked], check=False).returncode == 0
    done = subprocess.run(["bash", "-c", asked], stderr=subprocess.DEVNULL, check=False)
    assert done.returncode != 0


def test_requests_hold_the_same_in_rows_and_columns(kit):
    for kind in ("text", "tokens"):
        rows, columns = (
            json.loads((kit / "requests" / f"{kind}.{form}.json").read_text())
            for form in ("rows", "columns")
        )
        assert rows["signature_name"] == columns["signature_name"]
        for name, values in columns["inputs"].items():
            assert [row[name] for row in rows["instances"]] == values


def test_readme_tells_of_every_file(kit):
    readme = (kit / "README.md").read_text()
    for path in kit.rglob("*"):
        if path.is_file() and path.suffix not in {".c", ".h"} and "build" not in path.parts:
            assert path.name in readme or path.parent.name + "/" in readme, path


@pytest.mark.parametrize("readme", ["README.md", "export/README.md"])
def test_programs_of_the_readmes_run(repository, served_run, tmp_path, monkeypatch, capsys, readme):
    blocks = re.findall(r"```python\n(.*?)```", (repository / readme).read_text(), re.DOTALL)
    assert len(blocks) >= 2
    (tmp_path / "runs" / "genes" / "export").mkdir(parents=True)
    (tmp_path / "runs" / "genes" / "export" / "1").symlink_to(served_run / "export" / "9")
    (tmp_path / "abstracts.txt").write_text("The BRCA1 gene binds p53.\n")
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        if "import spacy" in block and not importlib.util.find_spec("spacy"):
            continue
        names: dict[str, object] = {}
        exec(block, names)
        assert capsys.readouterr().out or "entities" in names
