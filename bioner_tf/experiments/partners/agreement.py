"""Which auxiliary corpus pulls shared weights the main corpus's way? Learned, in minutes.

One tagger that shares everything is trained on the main corpus and all candidates together. In the
second half of its turns the gradients of all corpora are compared.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bioner_tf.config import RunConfig
from bioner_tf.corpora.tags import split_tag
from bioner_tf.errors import BionerError
from bioner_tf.layers.crf import StaticCRF
from bioner_tf.models import build_tagger
from bioner_tf.training.batches import batch_signature, turn_rows
from bioner_tf.training.callbacks import clear_bar, draw_bar, find_spoilt, format_clock
from bioner_tf.training.inputs import gather
from bioner_tf.training.trainer import MultiTaskTrainer

# Where there is no terminal, this many lines tell of the progress.
_LINES = 10
# The prefixes of both schemes, by what they say: outside, at the beginning, within.
_MEANINGS = {"O": 0, "B": 1, "S": 1, "I": 2, "E": 2}


def measure_agreement(config: RunConfig, turns: int) -> dict[str, list[float]]:
    """Trains for some turns and compares gradients.

    Args:
        config: A fully shared tagger of the main corpus and the candidates. Without dropout the
            gradients are less noisy, and so few turns hardly overfit.
        turns: How many, 1 or more.

    Returns:
        For each candidate its ``cosines``, one a turn of the second half.

    Raises:
        BionerError: A corpus or the vectors cannot be read, or a number is not finite.

    Source: the first order of the inter-task affinity of Fifty et al. (2021), "Efficiently
    identifying task groupings for multi-task learning", for steps of one length: by how much a
    step on the candidate lowers the main corpus's loss.
    """
    material = gather(config, splits=("train",))
    config = material.config
    tagger = build_tagger(
        config.model,
        material.word_table,
        material.vocabularies.num_characters,
        material.vocabularies.tags,
        config.training.seed,
    )
    for corpus, tags in material.vocabularies.tags.items():
        start_alike(tagger.crfs[corpus], tags, config.training.seed)
    trainer = MultiTaskTrainer(tagger, config.training)
    signature = [{corpus: batch_signature(with_tags=True) for corpus in tagger.corpora}]
    train = tf.function(trainer.train_step, input_signature=signature)
    compare = tf.function(functools.partial(cosines, trainer), input_signature=signature)
    progress = _Progress(trainer, turns)
    found = []
    drawn = turn_rows(
        material.encoded_training, config.training.batch_size, config.training.seed, range(turns)
    )
    for number, rows in enumerate(drawn):
        turn = {
            corpus: split.batch(rows[corpus], material.forms)
            for corpus, split in material.encoded_training.items()
        }
        if number >= turns // 2:
            found.append(compare(turn))
        logs = {name: float(value) for name, value in train(turn).items()}
        _check_finite(logs, number, rows)
        progress.show(number + 1, logs)
    return dict(zip(tagger.corpora[1:], np.transpose(found).tolist()))


def start_alike(crf: StaticCRF, tags: Sequence[str], seed: int) -> None:
    """Gives a CRF weights that depend on what its tags mean, whichever corpus they are of.

    Tags outside, at the beginning and within an entity start with one column each, whatever the
    type; no transition is preferred. Otherwise the gradient of each corpus would come through
    random weights of its own, and even two copies of one corpus would pull different ways.

    Args:
        crf: A built CRF.
        tags: Its tags.
        seed: Of the weights.
    """
    units = crf.unary.kernel.shape[0]
    columns = np.random.default_rng(seed).normal(scale=units**-0.5, size=(3, units))
    crf.unary.kernel.assign(columns[[_MEANINGS[split_tag(tag)[0]] for tag in tags]].T)
    crf.transitions.assign(tf.zeros_like(crf.transitions))


def cosines(trainer: MultiTaskTrainer, turn: Mapping[str, Mapping[str, tf.Tensor]]) -> tf.Tensor:
    """Compares the gradients of the auxiliary corpora with the main corpus's.

    Args:
        trainer: Of a fully shared tagger.
        turn: For each corpus its batch; all gradients are taken at the weights as they are.

    Returns:
        float32 (auxiliary corpora,): the cosine of both gradients in the weights of the shared
        Bi-LSTM, its projection and the character CNN; 0 where one of them is 0. Word vectors do not
        count: which words corpora have in common shows without training.
    """
    parts = trainer.tagger.parts
    layers = [*parts["char_cnn"], *parts["shared"]]
    shared = [variable for layer in layers for variable in layer.trainable_variables]
    directions = []
    for corpus in trainer.tagger.corpora:
        with tf.GradientTape() as tape:
            loss = trainer.batch_losses(corpus, turn[corpus])["loss"]
        gradient = tape.gradient(loss, shared)
        flat = tf.concat([tf.reshape(tf.convert_to_tensor(g), [-1]) for g in gradient], axis=0)
        directions.append(tf.math.divide_no_nan(flat, tf.norm(flat)))
    return tf.stack([tf.reduce_sum(directions[0] * other) for other in directions[1:]])


def _check_finite(logs: Mapping[str, float], number: int, rows: Mapping[str, np.ndarray]) -> None:
    """Raises BionerError where a turn has spoilt the means of a corpus."""
    for corpus in rows:
        if spoilt := find_spoilt(logs, corpus):
            raise BionerError(
                f"turn {number + 1}: expected finite numbers, got a {' and a '.join(spoilt)} of "
                f"{corpus} that is not; its batch held the training sentences "
                f"{', '.join(map(str, rows[corpus]))} (from 0): look at them, and at --vectors"
            )


class _Progress:
    """A bar on a terminal, some lines elsewhere; all on stderr, apart from the result."""

    def __init__(self, trainer: MultiTaskTrainer, turns: int):
        self._trainer = trainer
        self._turns = turns
        self._bar = sys.stderr.isatty()
        self._every = -(-turns // _LINES)
        self._began = time.monotonic()

    def show(self, done: int, logs: Mapping[str, float]) -> None:
        """Tells that so many turns are done."""
        seconds = time.monotonic() - self._began
        if self._bar:
            draw_bar("learning", done, self._turns, seconds)
            if done == self._turns:
                clear_bar()
        elif done % self._every == 0 or done == self._turns:
            loss = sum(logs[f"{corpus}/loss"] for corpus in self._trainer.tagger.corpora)
            self._trainer.reset_metrics()
            left = format_clock((self._turns - done) * seconds / done)
            print(
                f"turn {done}/{self._turns}  loss {loss:.3f}  {left} left",
                file=sys.stderr,
                flush=True,
            )
