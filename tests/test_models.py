"""Networks against their formulas, and what they share."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.layers import SideBySide
from tests.small import NUM_WORDS, TAGS, WORD_DIM, inputs_of, make_batch, make_tagger

STRUCTURES = {
    "single_task": ["a"],
    "cross_sharing": ["a", "b"],
    "cross_sharing of three": ["a", "b", "c"],
}


@pytest.fixture(params=STRUCTURES, scope="module")
def tagger(request):
    return make_tagger(request.param.split()[0], STRUCTURES[request.param])


def bilstm_size(inputs: int, units: int, projected: int) -> int:
    """Parameters of a Bi-LSTM with its projection, by formula."""
    return 2 * 4 * units * (inputs + units + 1) + (2 * units + 1) * projected


def crf_size(width: int, tags: int) -> int:
    return (width + 1) * tags + tags * tags + 2 * tags


def test_the_parameters_are_those_of_the_formula(tagger) -> None:
    counts = tagger.count_parameters()
    words, characters = NUM_WORDS * WORD_DIM, 7 * 3 + (3 * 3 + 1) * 3
    encoder, gate = bilstm_size(4 + 3, 3, 5), 5 * 5
    corpora = tagger.corpora
    expected = {"word_embedding": words, "char_cnn": characters}
    for corpus in corpora:
        expected[f"private.{corpus}"] = encoder
        expected[f"crf.{corpus}"] = crf_size(5, len(TAGS[corpus]))
    if len(corpora) > 1:
        expected["shared"] = encoder
        for corpus in corpora:
            expected[f"gate.{corpus}"] = gate * (len(corpora) - 1) + 5
            expected[f"crf.{corpus}"] = crf_size(10, len(TAGS[corpus]))
    assert counts["parts"] == expected
    assert counts["total"] == sum(expected.values())
    assert counts["rest"] == counts["total"] - words
    assert counts["total"] == sum(int(np.prod(v.shape)) for v in tagger.variables())


def test_padding_changes_no_emission(tagger) -> None:
    for corpus, network in tagger.networks.items():
        batch = inputs_of(make_batch(len(TAGS[corpus]), seed=1))
        wider = {**batch, "char_ids": tf.pad(batch["char_ids"], ((0, 2), (0, 3)))}
        for name in ("word_ids", "form_ids"):
            wider[name] = tf.pad(batch[name], ((0, 0), (0, 3)))
        expected, actual = network(batch)["emissions"], network(wider)["emissions"]
        for row, length in enumerate(batch["lengths"].numpy()):
            np.testing.assert_allclose(actual[row, :length], expected[row, :length], atol=1e-6)


def test_a_sentence_is_alone_in_its_batch(tagger) -> None:
    for corpus, network in tagger.networks.items():
        batch = inputs_of(make_batch(len(TAGS[corpus]), seed=1))
        together = network(batch)["emissions"]
        for row in range(3):
            alone = {
                name: batch[name][row : row + 1] for name in ("word_ids", "lengths", "form_ids")
            }
            emissions = network({**alone, "char_ids": batch["char_ids"]})["emissions"]
            np.testing.assert_allclose(emissions[0], together[row], atol=1e-6)


def test_cross_sharing_is_its_equations() -> None:
    """Eq. 18 to 21, read off the weights and the outputs of the encoders in NumPy."""
    tagger = make_tagger("cross_sharing", ["a", "b", "c"])
    network = tagger.networks["b"]
    batch = inputs_of(make_batch(2, seed=3))

    def output_of(layer: str) -> np.ndarray:
        return tf.keras.Model(network.input, network.get_layer(layer).output)(batch).numpy()

    shared = output_of("shared.projection")
    private = {name: output_of(f"private.{name}.projection") for name in "abc"}
    weights, bias = (w.numpy() for w in tagger.parts["gate.b"][0].trainable_variables)
    others = np.concatenate([private["a"], private["c"]], axis=-1)
    gated = private["b"] / (1 + np.exp(-(others @ weights + bias)))
    features = np.concatenate([gated, shared], axis=-1)
    kernel, unary_bias = (w.numpy() for w in tagger.crfs["b"].unary.trainable_variables)
    # Start and end scores are 0 before training.
    np.testing.assert_allclose(
        network(batch)["emissions"], features @ kernel + unary_bias, atol=1e-5
    )


def test_the_projection_is_linear_then_elu() -> None:
    tagger = make_tagger("single_task", ["a"])
    network = tagger.networks["a"]
    batch = inputs_of(make_batch(3, seed=3))
    side_by_side = next(layer for layer in network.layers if isinstance(layer, SideBySide))
    hidden = tf.keras.Model(network.input, side_by_side.output)(batch)
    kernel, bias = (w.numpy() for w in tagger.parts["private.a"][1].trainable_variables)
    linear = hidden.numpy() @ kernel + bias
    expected = np.where(linear > 0, linear, np.expm1(linear))
    layer = network.get_layer("private.a.projection")
    actual = tf.keras.Model(network.input, layer.output)(batch)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_the_seed_decides_the_weights() -> None:
    one, same, other = (make_tagger("cross_sharing", ["a", "b"], seed=s) for s in (1, 1, 2))
    for first, second in zip(one.variables(), same.variables()):
        np.testing.assert_array_equal(first, second)
    assert any((a.numpy() != b.numpy()).any() for a, b in zip(one.variables(), other.variables()))


@pytest.mark.parametrize("place", ["char_input", "lstm_input", "lstm_output"])
def test_dropout_is_where_it_is_asked_for(place: str) -> None:
    tagger = make_tagger("single_task", ["a"], dropout_places=(place,))
    batch = inputs_of(make_batch(3, seed=1))
    network = tagger.networks["a"]
    still = network(batch, training=False)["emissions"]
    assert np.abs(network(batch, training=True)["emissions"] - still).max() > 1e-3
    none = make_tagger("single_task", ["a"], dropout_places=())
    np.testing.assert_array_equal(
        none.networks["a"](batch, training=True)["emissions"],
        none.networks["a"](batch, training=False)["emissions"],
    )
