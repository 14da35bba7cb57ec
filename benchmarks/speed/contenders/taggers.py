"""Programs that tag raw text: an export of bioner_tf, called in two ways, and its peers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from harness import Task

import bioner_tf
from bioner_tf.config import DataConfig, RunConfig
from bioner_tf.corpora.vocabulary import FIRST_ID, Vocabulary
from bioner_tf.machine import use_threads
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.sources.characters import CharacterSource
from bioner_tf.sources.words import WordSource
from bioner_tf.training.inputs import Vocabularies
from bioner_tf.training.trained_run import TrainedRun, export_run
from contenders import bioner, peers, texts, workload

# Standard deviations by which the score of "no entity" is above the others'.
_OUTSIDE = 2.5


def make_setting(structure: str) -> workload.Setting:
    """Returns the tagger's sizes."""
    return workload.Setting(structure, num_words=FIRST_ID + texts.NUM_WORDS)


def write_export(
    structure: str, directory: Path, tags: Mapping[str, Sequence[str]] | None = None
) -> Path:
    """Exports a tagger with random weights; returns where to.

    Args:
        structure: The sharing structure.
        directory: The run directory that is made.
        tags: The tags of each corpus, ``"main"`` first; by default two corpora with the same.
    """
    setting = make_setting(structure)
    tags = tags or dict.fromkeys(setting.corpora, workload.TAGS)
    setting = dataclasses.replace(setting, num_corpora=len(tags))
    model, tagger = bioner.build_networks(setting, tags=tags)
    batch = workload.make_turns(setting, 1)[0]["main"]
    inputs = {name: tf.constant(values) for name, values in batch.items() if name != "tag_ids"}
    for corpus, network in tagger.networks.items():
        emissions = network(inputs)["emissions"].numpy()
        _calibrate_keras(tagger.crfs[corpus], emissions, batch["lengths"])
    sources = [
        WordSource(Vocabulary(texts.words()), model),
        CharacterSource(Vocabulary(tuple(texts.characters())), model),
    ]
    vocabularies = Vocabularies(sources, dict(tags))
    run = RunDirectory(directory)
    vocabularies.save(run.vocabulary)
    config = RunConfig(DataConfig("", tuple(tags)), model)
    return export_run(TrainedRun(run, config, vocabularies, tagger, {"epoch": 0}), run.exports)


def build_signature(
    export: str,
    batch_sizes: list[int],
    count: int,
    own_threads: bool = False,
    signature: str = "tag_text_main",
) -> list[Task]:
    """Returns the calls of a signature; threads are TensorFlow's, or bioner_tf's."""
    if own_threads:
        use_threads()
    model = tf.saved_model.load(export)
    tag = model.signatures[signature]

    def run(batch: list[str]) -> None:
        for values in tag(text=tf.constant(batch)).values():
            values.numpy()

    # The model must not end with this function.
    return _tasks(lambda batch, _=model: run(batch), batch_sizes, count)


def build_load(export: str, batch_sizes: list[int], count: int) -> list[Task]:
    """Returns the calls of ``bioner_tf.load(...).tag_texts`` for the main corpus."""
    use_threads()
    tag = functools.partial(bioner_tf.load(export).tag_texts, corpus="main")
    return _tasks(tag, batch_sizes, count)


def build_stock_keras(structure: str, batch_sizes: list[int], count: int) -> list[Task]:
    """Returns the calls of a tagger of Keras's layers."""
    from contenders import stock_keras

    setting = make_setting(structure)
    network = stock_keras.build_networks(setting)["main"]
    batch = workload.make_turns(setting, 1)[0]["main"]
    scores, _, _ = network(tf.nest.map_structure(tf.constant, batch))
    _calibrate_keras(network.crf, scores.numpy(), batch["lengths"])
    return _peer_tasks(stock_keras.make_decoder(network), batch_sizes, count)


def build_pytorch(
    structure: str, batch_sizes: list[int], count: int, packed: bool = True
) -> list[Task]:
    """Returns the calls of a tagger of PyTorch's modules."""
    from contenders import pytorch

    setting = make_setting(structure)
    network = pytorch.build_networks(setting, packed)["main"]
    decode = pytorch.make_decoder(network)
    batch = workload.make_turns(setting, 1)[0]["main"]
    unary = network.crf.unary
    with pytorch.torch.no_grad():
        scores, _, _ = network(pytorch.to_tensors(batch))
        scale, shift = map(pytorch.torch.from_numpy, _calibrate(scores.numpy(), batch["lengths"]))
        unary.weight.mul_(scale[:, None])
        unary.bias.mul_(scale).add_(shift)
        network.crf.transitions.zero_()
    return _peer_tasks(decode, batch_sizes, count)


def _calibrate_keras(crf, scores: np.ndarray, lengths: np.ndarray) -> None:
    scale, shift = _calibrate(scores, lengths)
    crf.unary.kernel.assign(crf.unary.kernel * scale)
    crf.unary.bias.assign(crf.unary.bias * scale + shift)
    crf.transitions.assign(tf.zeros_like(crf.transitions))


def _calibrate(scores: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What random scores are multiplied with and what is added, so that few tokens are entities.

    All taggers find about as many then, whatever their random weights.

    Args:
        scores: float32 (batch, time, num_tags).
        lengths: int32 (batch,).

    Returns:
        Both float32 (num_tags,).
    """
    real = scores[np.arange(scores.shape[1]) < lengths[:, None]]
    scale = 1 / real.std(axis=0)
    outside = _OUTSIDE * np.eye(1, scores.shape[-1], dtype=np.float32)[0]
    return scale, outside - real.mean(axis=0) * scale


def _peer_tasks(decode: peers.Decode, batch_sizes: list[int], count: int) -> list[Task]:
    words, characters = (
        {entry: number for number, entry in enumerate(entries, FIRST_ID)}
        for entries in (texts.words(), texts.characters())
    )
    return _tasks(lambda batch: peers.tag(batch, words, characters, decode), batch_sizes, count)


def _tasks(tag, batch_sizes: list[int], count: int) -> list[Task]:
    return [functools.partial(tag, batch) for _, batch in texts.calls(batch_sizes, count)]
