"""Networks against the paper's formulas, and the weights that they share."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.corpora.vocabulary import UNKNOWN_ID
from bioner_tf.layers.bilstm import ParallelBiLSTMs
from bioner_tf.layers.recurrence import arrange_steps
from tests.helpers.small_taggers import (
    NUM_WORDS,
    TAGS,
    WORD_DIM,
    inputs_of,
    make_batch,
    make_tagger,
)

STRUCTURES = {
    "single_task": ["a"],
    "fully_shared": ["a", "b"],
    "shared_private": ["a", "b"],
    "adversarial": ["a", "b"],
    "cross_sharing": ["a", "b"],
    "adversarial of three": ["a", "b", "c"],
    "cross_sharing of three": ["a", "b", "c"],
}


@pytest.fixture(params=STRUCTURES, scope="module")
def structure(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def tagger(structure: str):
    return make_tagger(structure.split()[0], STRUCTURES[structure])


def bilstm_size(inputs: int, units: int, projected: int) -> int:
    """The parameters of a Bi-LSTM with its projection, by formula."""
    return 2 * 4 * units * (inputs + units + 1) + (2 * units + 1) * projected


CRF_SIZES = {
    "static": lambda width, tags: (width + 1) * tags + tags * tags + 2 * tags,
    "pairwise": lambda width, tags: (width + 1) * (tags + 1) * tags,
}


@pytest.mark.parametrize("crf", CRF_SIZES)
def test_the_number_of_parameters_follows_the_formula(structure: str, crf: str) -> None:
    """The counts of the paper's Table 3 for each structure, with small sizes."""
    name, corpora = structure.split()[0], STRUCTURES[structure]
    tagger = make_tagger(name, corpora, crf=crf)
    counts = tagger.count_parameters()
    words = NUM_WORDS * WORD_DIM
    # Characters of 3 numbers, 3 filters of width 3; Bi-LSTMs of 3 units, projected to 5.
    expected = {"word_embedding": words, "char_cnn": 7 * 3 + (3 * 3 + 1) * 3}
    encoder = bilstm_size(4 + 3, 3, 5)
    if name != "single_task":
        expected["shared"] = encoder
    if name != "fully_shared":
        expected.update({f"private.{corpus}": encoder for corpus in corpora})
    if name == "adversarial":
        expected["discriminator"] = (5 + 1) * len(corpora)
    if name == "cross_sharing":
        expected.update({f"gate.{corpus}": (len(corpora) - 1) * 25 + 5 for corpus in corpora})
    width = 5 if name in ("single_task", "fully_shared") else 10
    for corpus in corpora:
        expected[f"crf.{corpus}"] = CRF_SIZES[crf](width, len(TAGS[corpus]))
    assert counts["parts"] == expected
    assert counts["total"] == sum(expected.values())
    assert counts["rest"] == counts["total"] - words
    assert counts["total"] == sum(int(np.prod(v.shape)) for v in tagger.variables())


# For each structure, the parts of the variables in order, without immediate repetitions.
ORDERS = {
    "single_task": "private.a crf.a",
    "fully_shared": "shared crf.a crf.b",
    "shared_private": "shared private.a shared crf.a private.b crf.b",
    "adversarial": "shared private.a shared private.a discriminator crf.a private.b crf.b",
    "cross_sharing": (
        "shared private.a private.b private.a private.b gate.a shared crf.a gate.b crf.b"
    ),
}


@pytest.mark.parametrize("structure", ORDERS)
def test_checkpoints_of_earlier_versions_find_their_variables(structure: str) -> None:
    """Older checkpoints find a variable by its position: another order would mix up weights."""
    tagger = make_tagger(structure, STRUCTURES[structure])
    part_of = {
        variable.ref(): part
        for part, layers in tagger.parts.items()
        for layer in layers
        for variable in layer.trainable_variables
    }
    order = [part_of[variable.ref()] for variable in tagger.variables()]
    expected = ["word_embedding", "char_cnn", *ORDERS[structure].split()]
    assert [part for part, _ in itertools.groupby(order)] == expected
    for part in (p for p in expected if p == "shared" or p.startswith("private")):
        shapes = [v.shape for v, name in zip(tagger.variables(), order) if name == part]
        bilstm, projection = tagger.parts[part]
        assert shapes == [v.shape for v in bilstm.variables + projection.variables]


def test_padding_changes_no_emission(tagger) -> None:
    for corpus, network in tagger.networks.items():
        batch = inputs_of(make_batch(len(TAGS[corpus]), seed=1))
        wider = {**batch, "char_ids": tf.pad(batch["char_ids"], ((0, 2), (0, 3)))}
        for name in ("word_ids", "form_ids"):
            wider[name] = tf.pad(batch[name], ((0, 0), (0, 3)))
        expected, actual = network(batch)["emissions"], network(wider)["emissions"]
        for row, length in enumerate(batch["lengths"].numpy()):
            np.testing.assert_allclose(actual[row, :length], expected[row, :length], atol=1e-6)


def test_a_sentence_does_not_depend_on_the_others_in_its_batch(tagger) -> None:
    for corpus, network in tagger.networks.items():
        batch = inputs_of(make_batch(len(TAGS[corpus]), seed=1))
        together = network(batch)["emissions"]
        for row in range(3):
            alone = {
                name: batch[name][row : row + 1] for name in ("word_ids", "lengths", "form_ids")
            }
            emissions = network({**alone, "char_ids": batch["char_ids"]})["emissions"]
            length = int(batch["lengths"][row])
            assert emissions.shape[:2] == (1, length)
            np.testing.assert_allclose(emissions[0], together[row, :length], atol=1e-6)


def test_the_features_are_those_of_the_equations(structure: str, tagger) -> None:
    """V_k of each section of the paper (CS-MTM: Eq. 18 to 21), from the encoders, in NumPy."""
    corpus = tagger.corpora[-1]
    network = tagger.networks[corpus]
    batch = inputs_of(make_batch(len(TAGS[corpus]), seed=3))

    def output_of(layer: str) -> np.ndarray:
        # If several networks use the layer, all its outputs are the same.
        output = network.get_layer(layer).get_output_at(0)
        return tf.keras.Model(network.input, output)(batch).numpy()

    def shared() -> np.ndarray:
        return output_of("shared.projection")

    def private(name: str = corpus) -> np.ndarray:
        return output_of(f"private.{name}.projection")

    def gated() -> np.ndarray:
        weights, bias = (w.numpy() for w in tagger.parts[f"gate.{corpus}"][0].trainable_variables)
        others = np.concatenate([private(name) for name in tagger.corpora[:-1]], axis=-1)
        return private() / (1 + np.exp(-(others @ weights + bias)))

    features = {
        "single_task": lambda: [private()],
        "fully_shared": lambda: [shared()],
        "shared_private": lambda: [private(), shared()],
        "adversarial": lambda: [private(), shared()],
        "cross_sharing": lambda: [gated(), shared()],
    }[structure.split()[0]]()
    kernel, bias = (w.numpy() for w in tagger.crfs[corpus].unary.trainable_variables)
    # Start and end scores are 0 before training.
    expected = np.concatenate(features, axis=-1) @ kernel + bias
    cells = arrange_steps(batch["lengths"]).cells
    emissions = tf.gather_nd(network(batch)["emissions"], cells)
    np.testing.assert_allclose(emissions, expected, atol=1e-5)


def test_the_projection_is_linear_then_elu() -> None:
    tagger = make_tagger("single_task", ["a"])
    network = tagger.networks["a"]
    batch = inputs_of(make_batch(3, seed=3))
    side_by_side = next(layer for layer in network.layers if isinstance(layer, ParallelBiLSTMs))
    hidden = tf.keras.Model(network.input, side_by_side.output)(batch)
    kernel, bias = (w.numpy() for w in tagger.parts["private.a"][1].trainable_variables)
    linear = hidden.numpy() @ kernel + bias
    expected = np.where(linear > 0, linear, np.expm1(linear))
    layer = network.get_layer("private.a.projection")
    actual = tf.keras.Model(network.input, layer.output)(batch)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_the_seed_determines_the_weights() -> None:
    one, same, other = (make_tagger("cross_sharing", ["a", "b"], seed=s) for s in (1, 1, 2))
    for first, second in zip(one.variables(), same.variables()):
        np.testing.assert_array_equal(first, second)
    assert any((a.numpy() != b.numpy()).any() for a, b in zip(one.variables(), other.variables()))


def test_bfloat16_rounds_if_the_processor_supports_it_and_is_replaced_otherwise(
    monkeypatch, caplog
) -> None:
    batch = inputs_of(make_batch(3, seed=1))

    def emissions(precision: str) -> np.ndarray:
        tagger = make_tagger("single_task", ["a"], precision=precision)
        return tagger.networks["a"](batch)["emissions"].numpy()

    expected = emissions("float32")
    monkeypatch.setattr("bioner_tf.machine.supports_bfloat16", lambda: True)
    rounded = emissions("bfloat16")
    assert 0 < np.abs(rounded - expected).max() < 0.02
    assert not caplog.records
    monkeypatch.setattr("bioner_tf.machine.supports_bfloat16", lambda: False)
    np.testing.assert_array_equal(emissions("bfloat16"), expected)
    assert "no fast bfloat16" in caplog.text


def represent(place: str) -> tuple[np.ndarray, np.ndarray]:
    """X of real tokens, without dropout and with dropout in one place; (tokens, width)."""
    tagger = make_tagger("single_task", ["a"], dropout_places=(place,), dropout_rate=0.5)
    batch = inputs_of(make_batch(3, seed=1))
    layer = next(
        layer for layer in tagger.networks["a"].layers if layer.name == "word_representations"
    )
    dropped = layer.outbound_nodes[0].outbound_layer
    model = tf.keras.Model(tagger.networks["a"].inputs, dropped.output)
    real = tf.sequence_mask(batch["lengths"], 4).numpy()
    return tuple(model(batch, training=training).numpy()[real] for training in (False, True))


def test_dropout_of_the_lstm_input_drops_values_of_words_and_characters() -> None:
    still, drawn = represent("lstm_input")
    for part in (slice(None, WORD_DIM), slice(WORD_DIM, None)):
        assert {0.0, 2.0} == set(np.unique((drawn[:, part] / still[:, part]).round(5)))


def test_dropout_of_the_char_input_is_before_the_cnn() -> None:
    still, drawn = represent("char_input")
    np.testing.assert_array_equal(drawn[:, :WORD_DIM], still[:, :WORD_DIM])
    characters, changed = still[:, WORD_DIM:], drawn[:, WORD_DIM:]
    assert np.abs(changed - characters).max() > 1e-3
    # Dropout of the CNN's output would set values to 0 and double the others.
    ratios = (changed / characters).round(5)
    assert not np.isin(ratios, [0.0, 2.0]).any()


def test_dropout_of_the_lstm_output_leaves_the_lstm_input_alone() -> None:
    np.testing.assert_array_equal(*represent("lstm_output"))


@pytest.mark.parametrize("place", ["char_input", "lstm_input", "lstm_output"])
def test_dropout_is_applied_in_the_given_place(place: str) -> None:
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


def test_word_dropout_takes_whole_words_and_only_in_training():
    tagger = make_tagger("single_task", ["a"], word_dropout=0.5, dropout_places=())
    [table] = tagger.parts["word_embedding"]
    ids = tf.constant([[3, 4, 5, 6] * 50, [7, 0, 0, 0] * 50])
    rows = table.embeddings.numpy()
    np.testing.assert_array_equal(table(ids), rows[ids.numpy()])
    dropped = table(ids, training=True).numpy()
    unknown = (dropped == rows[UNKNOWN_ID]).all(-1)
    np.testing.assert_array_equal(
        dropped, np.where(unknown[..., None], rows[UNKNOWN_ID], rows[ids])
    )
    assert not unknown[ids == 0].any()
    assert 0.35 < unknown[ids != 0].mean() < 0.65
    tagger.updates.assign_add(1)
    again = (table(ids, training=True).numpy() == rows[UNKNOWN_ID]).all(-1)
    assert (again != unknown).any()
