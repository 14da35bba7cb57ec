"""The files of an export: their content, and that a version is complete or not there."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from bioner_tf.corpora import tags
from bioner_tf.corpora.type_map import parse_type_map
from bioner_tf.corpora.vocabulary import Vocabulary
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.models import build_tagger
from bioner_tf.serving.export import export_tagger
from bioner_tf.serving.rules import MergeRules
from bioner_tf.serving.versions import list_versions
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.training.trained_run import networks_to_serve
from tests.helpers import random_tagger, reference, small_taggers


def test_graph_is_small_and_of_core_ops_only(saved_model):
    serialized = (saved_model / "saved_model.pb").read_bytes()
    assert len(serialized) < 500_000
    assert_core_ops_only(saved_model)
    # Loaders warn about gradients that are named but not saved.
    assert b"_gradient_op_type" not in serialized


def assert_core_ops_only(saved_model):
    model = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    functions = {function.signature.name for function in graph.library.function}
    ops = {node.op for node in graph.node}
    ops.update(node.op for function in graph.library.function for node in function.node_def)
    core = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    assert ops - functions - core == set()
    assert not {op for op in ops if "PyFunc" in op}


def test_metadata_tells_what_is_inside(saved_model):
    metadata = json.loads((saved_model / "assets.extra" / "tagger.metadata").read_text("utf-8"))
    assert metadata["format"] == 2
    assert [corpus["name"] for corpus in metadata["corpora"]] == list(random_tagger.TAGS)
    assert metadata["corpora"][1] == {
        "name": random_tagger.AUXILIARY,
        "types": ["DNA", "cell_type"],
        "tags": list(random_tagger.TAGS[random_tagger.AUXILIARY]),
        "scheme": "IOBES",
        "signatures": {
            "text": "tag_text_more__IOBES_",
            "tokens": "tag_tokens_more__IOBES_",
        },
    }
    assert metadata["serving"] == {
        "serve": "all",
        "signatures": {"all": "tag_text_all", "candidates": "tag_text_candidates"},
        "type_map": {
            random_tagger.MAIN: {"Gene": "Gene"},
            random_tagger.AUXILIARY: {"DNA": "DNA", "cell_type": "cell_type"},
        },
        "min_score": 0.0,
        "overlaps": "score",
    }
    assert metadata["scores"]["genes-IOB"]["test"]["recall"] == 0.25
    assert metadata["tensorflow"] == tf.__version__


def test_versions_count_up_and_are_complete(served_tagger, tmp_path, monkeypatch):
    def save_nothing(_, directory, **kwargs):
        (Path(directory) / "saved_model.pb").touch()

    monkeypatch.setattr(tf.saved_model, "save", save_nothing)
    export_dir = tmp_path / "run" / "export"
    assert list_versions(export_dir) == []
    assert export_tagger(served_tagger, export_dir) == export_dir / "1"
    assert export_tagger(served_tagger, export_dir, version=10).name == "10"
    (export_dir / "notes").mkdir()
    assert export_tagger(served_tagger, export_dir).name == "11"
    with pytest.raises(BionerError, match="at least 1, got 0"):
        export_tagger(served_tagger, export_dir, version=0)

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        export_tagger(served_tagger, export_dir)
    assert sorted(entry.name for entry in export_dir.iterdir()) == ["1", "10", "11", "notes"]


def test_no_file_contains_the_path_of_the_vocabulary(served_tagger, saved_model):
    folder = str(served_tagger.vocabulary_dir).encode()
    assert [p for p in saved_model.rglob("*") if p.is_file() and folder in p.read_bytes()] == []


def test_two_exports_in_one_process_keep_their_own_vocabularies(served_tagger, tmp_path):
    words, characters = served_tagger.sources
    turned = type(words)(Vocabulary(words.vocabulary.entries[::-1]), words.config)
    turned.save(tmp_path)
    characters.save(tmp_path)
    other = dataclasses.replace(
        served_tagger, sources=[turned, characters], vocabulary_dir=tmp_path
    )
    paths = [
        export_tagger(tagger, tmp_path / name)
        for tagger, name in ((served_tagger, "a"), (other, "b"))
    ]
    sentences = [["the", "gene", "binds", "BRCA1", "in", "p53", "."]]
    alone = Tagger(paths[0]).tag_tokens(sentences)[1]
    taggers = [Tagger(path) for path in paths]
    first, second = (tagger.tag_tokens(sentences)[1] for tagger in taggers)
    np.testing.assert_array_equal(first, alone)
    assert np.abs(np.subtract(second, first)).max() > 1e-3


def test_a_type_map_of_other_types_is_refused(served_tagger, tmp_path):
    rules = MergeRules(parse_type_map(["RNA="]))
    with pytest.raises(UsageError, match=r"a type of a corpus \(DNA, Gene, cell_type\), got 'RNA'"):
        export_tagger(dataclasses.replace(served_tagger, rules=rules), tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_empty_vocabulary_is_refused(tmp_path):
    served_tagger = random_tagger.build_random_tagger(tmp_path)
    (tmp_path / "words.txt").write_text("")
    with pytest.raises(BionerError, match=r"words\.txt: expected a vocabulary of at least one"):
        export_tagger(served_tagger, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_the_cards_own_program_runs_where_bioner_tf_cannot_be_imported(saved_model):
    """A new user may have only the export and TensorFlow."""
    card = (saved_model / "README.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    blocker = textwrap.dedent(
        """
        import sys
        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {"bioner_tf", "tensorflow_addons"}:
                    raise ImportError(name)
        sys.meta_path.insert(0, Blocker())
        """
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", blocker + program],
        cwd=saved_model,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    expected = Tagger(saved_model).tag_texts(["Mutations of BRCA1 cause breast cancer."])[0]
    assert expected
    assert [line.rpartition(" ")[0] for line in result.stdout.splitlines()] == [
        f"{entity.text} {entity.type}" for entity in expected
    ]


STRUCTURES = ("single_task", "fully_shared", "shared_private", "adversarial", "cross_sharing")


@pytest.mark.parametrize(
    ("structure", "crf", "number"),
    [
        pytest.param("cross_sharing", "pairwise", 2, id="paper"),
        *(
            pytest.param(structure, crf, number, marks=pytest.mark.slow)
            for structure in STRUCTURES
            for crf in ("static", "pairwise")
            for number in ([1] if structure == "single_task" else [8])
        ),
    ],
)
def test_trained_taggers_export_small_and_exact(served_tagger, tmp_path, structure, crf, number):
    tag_sets = [
        ("O", "B-Gene_or_gene_product", "I-Gene_or_gene_product"),
        ("O", "S-X", "B-X", "E-X"),
    ]
    tags_of = {f"BioNLP11ID-{n}-IOB": tag_sets[n % 2] for n in range(number)}
    config = small_taggers.make_config(
        structure, crf=crf, max_characters=random_tagger.MAX_CHARACTERS
    )
    sources = [type(s)(s.vocabulary, config) for s in random_tagger.SOURCES]
    shape = (sources[0].num_ids, small_taggers.WORD_DIM)
    sources[0].table = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    trained = build_tagger(config, sources, tags_of, 1)
    encode, corpora = networks_to_serve(trained, tags_of, dict.fromkeys(tags_of, 1.0))
    tagger = dataclasses.replace(served_tagger, encode=encode, corpora=corpora)
    saved_model = export_tagger(tagger, tmp_path)

    assert_core_ops_only(saved_model)
    # Weights and vocabularies are in other files.
    assert (saved_model / "saved_model.pb").stat().st_size < 1_000_000

    loaded = Tagger(saved_model)
    sentence = ["BRCA1", "binds", "the", "p53", "gene", "."]
    for name, names in tags_of.items():
        inputs = random_tagger.encode_in_python(sentence)
        emissions = trained.networks[name](inputs)["emissions"]
        potentials = trained.crfs[name].potentials(emissions).numpy()[0]
        tables = (tags.legal_starts, tags.legal_transitions, tags.legal_ends)
        legal = reference.legal_by_tables(*(table_of(names) for table_of in tables))
        distribution = reference.enumerate_sequences(potentials, legal)
        best = reference.best_sequence(distribution)
        [found], [scores] = loaded.tag_tokens([sentence], name)
        assert found == [names[tag] for tag in best]
        marginals = reference.token_marginals(distribution, len(names))
        np.testing.assert_allclose(scores, marginals[np.arange(len(best)), best], atol=1e-5)
