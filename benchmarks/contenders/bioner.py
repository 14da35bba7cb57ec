"""bioner_tf itself."""

from __future__ import annotations

from typing import Callable

import numpy as np
import tensorflow as tf

from bioner_tf.config import ModelConfig, TrainingConfig
from bioner_tf.models import build_tagger
from bioner_tf.threads import use_threads
from bioner_tf.training import MultiTaskTrainer
from contenders import workload


def build(
    structure: str, turns: list[dict[str, workload.Batch]], precision: str = "float32"
) -> Callable[[int], None]:
    """Returns a function that takes turn k."""
    use_threads()
    table = np.random.default_rng(1).uniform(-0.17, 0.17, (workload.NUM_WORDS, workload.WORD_DIM))
    config = ModelConfig(structure=structure, word_dim=workload.WORD_DIM, precision=precision)
    tags = dict.fromkeys(turns[0], workload.TAGS)
    tagger = build_tagger(config, table.astype(np.float32), workload.NUM_CHARACTERS, tags, seed=1)
    trainer = MultiTaskTrainer(tagger, TrainingConfig())
    tensors = [tf.nest.map_structure(tf.constant, turn) for turn in turns]
    signature = tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype), tensors[0]
    )
    train = tf.function(trainer.train_step, input_signature=[signature])
    return lambda number: float(train(tensors[number])["tokens"])


def build_bfloat16(structure: str, turns: list[dict[str, workload.Batch]]) -> Callable[[int], None]:
    """The same with the Bi-LSTMs' matmuls in bfloat16."""
    return build(structure, turns, "bfloat16")
