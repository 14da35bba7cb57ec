"""Exports a tagger: a SavedModel with metadata, checksums, model card and warm-up requests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import bioner_tf
from bioner_tf.corpora import tags as tag_tables
from bioner_tf.errors import BionerError
from bioner_tf.files import (
    PathLike,
    publish_directory,
    write_json_atomically,
    write_text_atomically,
)
from bioner_tf.serving.graph import (
    TAG_TEXT_ALL,
    TAG_TEXT_CANDIDATES,
    ServedCorpus,
    ServedTagger,
    TaggerGraph,
    build_signatures,
    signature_names,
)
from bioner_tf.serving.metadata import METADATA_FORMAT, METADATA_PATH, write_export_checksums
from bioner_tf.serving.model_card import write_model_card
from bioner_tf.serving.versions import list_versions
from bioner_tf.serving.warmup import WARMUP_PATH, write_warmup

MODEL_CARD_PATH = Path("README.md")


def export_tagger(tagger: ServedTagger, export_dir: PathLike, version: int | None = None) -> Path:
    """Exports a tagger as a new version; an export that fails leaves no partial version.

    Args:
        tagger: The tagger.
        export_dir: The directory of versions that TensorFlow Serving watches; created if missing.
        version: The version's number, at least 1; replaces this version if it exists. By default
            one more than the highest version in the directory.

    Returns:
        The directory of the new version.

    Raises:
        BionerError: If ``version`` is below 1, the type map names types that no corpus has, a
            vocabulary is empty, or writing fails.
    """
    tagger.rules.type_map.check({corpus.name: _types(corpus) for corpus in tagger.corpora})
    if version is None:
        version = max(list_versions(export_dir), default=0) + 1
    if version < 1:
        raise BionerError(f"expected a version of at least 1, got {version}")
    destination = Path(export_dir) / str(version)
    graph = TaggerGraph(tagger)
    names = signature_names([corpus.name for corpus in tagger.corpora])
    signatures = build_signatures(graph, tagger.corpora, names, tagger.rules, tagger.serve)
    with publish_directory(destination) as directory:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        try:
            tf.saved_model.save(graph, str(directory), signatures=signatures, options=options)
        except tf.errors.OpError as error:
            reason = str(error).splitlines()[0]
            raise BionerError(
                f"{destination}: expected to write an export, got: {reason}"
            ) from None
        _forget_origin(directory, tagger.vocabulary_dir)
        metadata = _describe(tagger, names)
        write_json_atomically(directory / METADATA_PATH, metadata)
        write_text_atomically(directory / MODEL_CARD_PATH, write_model_card(metadata))
        write_warmup(directory / WARMUP_PATH, list(signatures))
        write_export_checksums(directory)
    return destination


def _forget_origin(directory: Path, vocabulary_dir: PathLike) -> None:
    """Removes what depends on the machine or directory, and the names of custom gradients.

    TensorFlow names each look-up table after the path of its file. Only the file's name is kept, so
    that the same weights give the same bytes in every directory. The gradients are not saved, and
    loaders would warn about each name.
    """
    path = directory / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    folder = f"{Path(vocabulary_dir)}{os.sep}".encode()
    for meta_graph in model.meta_graphs:
        graph = meta_graph.graph_def
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                node.attr.pop("_gradient_op_type", None)
                if node.op == "HashTableV2":
                    name = node.attr["shared_name"]
                    name.s = name.s.replace(folder, b"")
    path.write_bytes(model.SerializeToString(deterministic=True))
    # The fingerprint describes the unmodified graph and is optional.
    (directory / "fingerprint.pb").unlink(missing_ok=True)


def _describe(tagger: ServedTagger, names: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The content of ``tagger.metadata``."""
    return {
        **tagger.metadata,
        "format": METADATA_FORMAT,
        "bioner_tf": bioner_tf.__version__,
        "tensorflow": tf.__version__,
        "corpora": [
            {
                "name": corpus.name,
                "types": _types(corpus),
                "tags": list(corpus.tags),
                "scheme": tag_tables.scheme_of(corpus.tags),
                "signatures": dict(corpus_names),
            }
            for corpus, corpus_names in zip(tagger.corpora, names)
        ],
        "serving": {
            "serve": tagger.serve,
            "signatures": {"all": TAG_TEXT_ALL, "candidates": TAG_TEXT_CANDIDATES},
            "type_map": {
                corpus.name: tagger.rules.type_map.resolve(corpus.name, _types(corpus))
                for corpus in tagger.corpora
            },
            "min_score": tagger.rules.min_score,
            "overlaps": tagger.rules.overlaps,
        },
        **{name: v for source in tagger.sources for name, v in source.describe().items()},
        "max_sentence_tokens": tagger.max_sentence_tokens,
    }


def _types(corpus: ServedCorpus) -> list[str]:
    return sorted(set(tag_tables.types_of(corpus.tags)) - {""})
