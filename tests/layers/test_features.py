"""The character CNN against NumPy, written from the paper's formula; dropout."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from bioner_tf.layers.features import CharCNN, SeededDropout
from tests.helpers import replica_masks


def no_dropout() -> SeededDropout:
    return SeededDropout(0.0, (1, 1), tf.Variable(0, dtype=tf.int64))


class TestCharCNN:
    @staticmethod
    def make() -> CharCNN:
        layer = CharCNN(9, dim=4, filters=5, width=3, dropout=no_dropout())
        layer((tf.zeros((1, 1), tf.int32), tf.zeros((1, 1), tf.int32)))
        for weights in layer.trainable_variables:
            weights.assign(tf.random.normal(weights.shape))
        return layer

    @pytest.mark.parametrize("form", [[2], [3, 4], [5, 1, 8, 2, 6]], ids=len)
    def test_equals_the_formula(self, form: list[int]) -> None:
        layer = self.make()
        table = layer.embedding.embeddings.numpy()
        kernel, bias = (weights.numpy() for weights in layer.convolution.trainable_variables)
        padded = np.pad(table[form], ((2, 2), (0, 0)))
        windows = [
            np.einsum("wc,wcf->f", padded[i : i + 3], kernel) + bias for i in range(len(form) + 2)
        ]
        expected = np.tanh(np.max(windows, axis=0))
        actual = layer((tf.constant([form]), tf.constant([[0]])))[0, 0]
        np.testing.assert_allclose(actual, expected, atol=1e-5)

    def test_longer_neighbours_change_nothing(self) -> None:
        layer = self.make()
        alone = layer((tf.constant([[5, 2]]), tf.constant([[0]])))
        together = layer((tf.constant([[5, 2, 0, 0], [1, 2, 3, 4]]), tf.constant([[0, 1]])))
        np.testing.assert_allclose(together[:, :1], alone, atol=1e-6)


def test_characters_begin_uniform_with_variance_one_over_their_width() -> None:
    layer = CharCNN(500, 7, 2, 3, no_dropout())
    layer((tf.ones((2, 3), tf.int32), tf.ones((1, 1), tf.int32)))
    vectors = layer.embedding.embeddings.numpy()
    assert 0.99 * np.sqrt(3 / 7) < np.abs(vectors).max() <= np.sqrt(3 / 7)
    assert vectors.var() == pytest.approx(1 / 7, rel=0.05)


class TestSeededDropout:
    @pytest.mark.parametrize("rate", [0.25, 0.5, 0.3, 0.7, 0.999])
    def test_drops_at_the_rate_and_keeps_the_mean(self, rate: float) -> None:
        layer = SeededDropout(rate, (1, 1), tf.Variable(0, dtype=tf.int64))
        values = layer(tf.ones((1500, 1500)), training=True).numpy()
        rounded = min(round(rate * 256), 255) / 256
        # A rate that is off by one of the 256 values differs by 0.0039; one standard deviation is
        # 0.0003.
        assert np.mean(values == 0) == pytest.approx(rounded, abs=0.0016)
        np.testing.assert_allclose(values[values != 0], 1 / (1 - rounded), rtol=1e-6)

    def test_the_mask_is_a_function_of_the_seed_and_the_step(self) -> None:
        updates = tf.Variable(0, dtype=tf.int64)
        here, there = SeededDropout(0.5, (1, 1), updates), SeededDropout(0.5, (1, 2), updates)
        ones = tf.ones((8, 8))
        first = here(ones, training=True).numpy()
        assert (there(ones, training=True).numpy() != first).any()
        updates.assign(1)
        assert (here(ones, training=True).numpy() != first).any()
        updates.assign(0)
        np.testing.assert_array_equal(here(ones, training=True), first)

    def test_each_replica_draws_its_own_mask_again_and_again(self, repository, tmp_path) -> None:
        path = tmp_path / "masks.npy"
        program = [sys.executable, "-W", "ignore", "-m", "tests.helpers.replica_masks", str(path)]
        subprocess.run(program, cwd=repository, check=True)
        draws = np.load(path)
        assert draws.shape == (2 * len(replica_masks.UPDATES), 2, 8, 8)
        first, later, again, *anew = draws
        assert (first[0] != first[1]).any()
        assert (later[0] != later[1]).any()
        for replica in range(2):
            assert (later[replica] != first[replica]).any()
        np.testing.assert_array_equal(again, first)
        np.testing.assert_array_equal(anew, [first, later, again])

    def test_does_nothing_when_not_training(self) -> None:
        layer = SeededDropout(0.5, (1, 1), tf.Variable(0, dtype=tf.int64))
        np.testing.assert_array_equal(layer(tf.ones((3, 3))), tf.ones((3, 3)))
        assert isinstance(layer, keras.layers.Layer)
        assert layer.trainable_variables == []
