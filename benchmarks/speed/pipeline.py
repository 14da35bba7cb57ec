"""Measures how long training waits for data, and the share of padding in a batch.

    python benchmarks/speed/pipeline.py --data_dir=corpora --corpora=BC2GM-IOB,BC5CDR-IOB

Trains a tagger of the paper's sizes for some turns on real corpora. Waiting is the time from the
request for a turn's data to its arrival. Padding is counted over a whole pass of each corpus, for
the trainer's batches and for batches from plain shuffling.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import harness
import numpy as np
import tensorflow as tf

from bioner_tf.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from bioner_tf.machine import use_threads
from bioner_tf.models import build_tagger
from bioner_tf.training.batches import batch_signature, plan_pass, turn_dataset
from bioner_tf.training.inputs import TrainingInputs, load_inputs
from bioner_tf.training.trainer import MultiTaskTrainer


def padding_share(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """Returns the share of padding among the tokens of some batches.

    Args:
        lengths: int (sentences,), tokens of each sentence.
        batches: The sentence numbers of each batch.
    """
    padded = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    real = sum(int(lengths[rows].sum()) for rows in batches)
    return 1 - real / padded


def count_padding(lengths: np.ndarray, batch_size: int) -> dict[str, float]:
    """Returns the share of padding in the trainer's batches (``drawn``) and with ``shuffling``."""
    rng = np.random.default_rng(1)
    order = rng.permutation(len(lengths))
    shuffled = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return {
        "drawn": padding_share(lengths, plan_pass(lengths, batch_size, rng)),
        "shuffling": padding_share(lengths, shuffled),
    }


def measure_waiting(inputs: TrainingInputs, turns: int) -> dict[str, float]:
    """Trains for some turns; returns seconds a turn, and the share of them spent waiting."""
    config = inputs.config
    tagger = build_tagger(
        config.model,
        inputs.vocabularies.sources,
        inputs.vocabularies.tags,
        config.training.seed,
    )
    trainer = MultiTaskTrainer(tagger, config.training)
    signature = [{c: batch_signature(tagger.sources, with_tags=True) for c in tagger.corpora}]
    train = tf.function(trainer.train_step, input_signature=signature)
    # The first turns build graphs and fill buffers.
    warm_up = 5
    dataset = turn_dataset(
        inputs.encoded_training,
        inputs.forms,
        config.training.batch_size,
        config.training.seed,
        lambda: range(turns + warm_up),
    )
    waited = worked = 0.0
    asked = time.perf_counter()
    for number, turn in enumerate(dataset):
        had = time.perf_counter()
        float(train(turn)["tokens"])
        done = time.perf_counter()
        if number >= warm_up:
            waited, worked = waited + had - asked, worked + done - had
        asked = done
    return {"seconds": (waited + worked) / turns, "waiting": waited / (waited + worked)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True, help="where the corpora are")
    parser.add_argument("--corpora", required=True, help="comma-separated, the main one first")
    parser.add_argument("--structure", default="cross_sharing")
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--lstm_units", type=int, default=ModelConfig().lstm_units)
    harness.add_output(parser, "pipeline")
    options = parser.parse_args(arguments)
    use_threads()
    corpora = tuple(options.corpora.split(","))
    model = ModelConfig(structure=options.structure, lstm_units=options.lstm_units)
    inputs = load_inputs(RunConfig(DataConfig(options.data_dir, corpora), model, TrainingConfig()))
    record: dict[str, Any] = {"machine": harness.machine(), "corpora": corpora}
    record["padding"] = {
        corpus: count_padding(split.lengths, inputs.config.training.batch_size)
        for corpus, split in inputs.encoded_training.items()
    }
    record.update(measure_waiting(inputs, options.turns))
    print(json.dumps(record["machine"]))
    for corpus, shares in record["padding"].items():
        print(f"{corpus}: {shares['drawn']:.1%} padding; {shares['shuffling']:.1%} by shuffling")
    print(
        f"{1e3 * record['seconds']:.1f} ms a turn, {record['waiting']:.1%} of it waiting for data"
    )
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
