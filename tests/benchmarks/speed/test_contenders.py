"""What bioner_tf is measured against: the same networks, of other libraries' layers."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.helpers import benchmark_modules, reference

workload = benchmark_modules.load("contenders.workload")
peers = benchmark_modules.load("contenders.peers")

SMALL = {"WORD_DIM": 5, "CHAR_DIM": 3, "CHAR_FILTERS": 3, "LSTM_UNITS": 4, "PROJECTION_UNITS": 6}


class Keras:
    """What the tests ask of the networks of Keras's layers."""

    def __init__(self):
        self.module = benchmark_modules.load("contenders.stock_keras")

    def tensors(self, arrays):
        return arrays

    def number(self, scalar) -> float:
        return float(scalar)

    def weights(self, part) -> list[np.ndarray]:
        return [weight.numpy() for weight in part.trainable_variables]

    def decode(self, scores, lengths, transitions):
        tf = self.module.tf
        inputs = (scores, np.array(lengths, np.int32), transitions)
        return self.module.decode_scores(*map(tf.constant, inputs))


class PyTorch:
    """The same of PyTorch's."""

    def __init__(self):
        self.torch = pytest.importorskip("torch")
        self.module = benchmark_modules.load("contenders.pytorch")

    def tensors(self, arrays):
        if isinstance(arrays, dict):
            return self.module.to_tensors(arrays)
        return self.torch.tensor(arrays)

    def number(self, scalar) -> float:
        return scalar.item()

    def weights(self, part) -> list[np.ndarray]:
        """Without the LSTM's second bias, which adds to the first."""
        named = part.named_parameters()
        return [weight.detach().numpy().T for name, weight in named if "bias_hh" not in name]

    def decode(self, scores, lengths, transitions):
        mask = np.arange(scores.shape[1]) < np.array(lengths)[:, None]
        return self.module.decode_scores(*map(self.torch.tensor, (scores, mask, transitions)))


@pytest.fixture(params=[Keras, PyTorch], ids=["keras", "pytorch"])
def contender(request, monkeypatch):
    for name, size in SMALL.items():
        monkeypatch.setattr(workload, name, size)
    return request.param()


def build(contender, structure: str) -> tuple[object, dict]:
    """A setting and its networks, each of which has seen a batch."""
    setting = workload.Setting(structure, num_corpora=3, batch_size=2, length=4, num_words=20)
    networks = contender.module.build_networks(setting)
    (turn,) = workload.make_turns(setting, 1)
    for corpus, network in networks.items():
        assert np.isfinite(contender.number(network.loss_of(contender.tensors(turn[corpus]))))
    return setting, networks


def parts_of(corpus: str, network) -> dict[str, object]:
    parts = {
        "word_embedding": network.words.words,
        "char_cnn": network.words.characters,
        "shared": network.shared,
        f"private.{corpus}": network.own,
        f"gate.{corpus}": network.gate,
        "discriminator": network.discriminator,
        f"crf.{corpus}": network.crf,
    }
    return {name: part for name, part in parts.items() if part is not None}


@functools.cache
def build_bioner(setting):
    """The tagger of bioner_tf, once for both contenders."""
    return benchmark_modules.load("contenders.bioner").build_networks(setting)[1]


@pytest.mark.parametrize("structure", workload.WIRINGS)
def test_networks_have_the_parameters_of_bioner(contender, structure) -> None:
    setting, networks = build(contender, structure)
    tagger = build_bioner(setting)

    def count(part) -> int:
        return sum(weight.size for weight in contender.weights(part))

    found = {n: count(p) for c, net in networks.items() for n, p in parts_of(c, net).items()}
    assert found == tagger.count_parameters()["parts"]
    # An update moves as much, too: that of a gated corpus the others' Bi-LSTMs with it.
    for corpus, network in networks.items():
        moved = tagger.networks[corpus].trainable_variables
        assert count(network) == sum(int(np.prod(variable.shape)) for variable in moved)


def test_the_adversarial_losses_are_those_of_the_formula(contender) -> None:
    _, networks = build(contender, "adversarial")
    network = networks["auxiliary1"]
    rng = np.random.default_rng(1)
    shared, own = (rng.normal(size=(2, 4, 6)).astype(np.float32) for _ in range(2))
    lengths = np.array([4, 2], np.int32)
    kernel, bias = contender.weights(network.discriminator)
    expected = 0.0
    for s, p, length in zip(shared, own, lengths):
        logits = s[length - 1] @ kernel + bias
        expected += workload.ALPHA * (np.log(np.exp(logits).sum()) - logits[1]) / 2
        expected += workload.BETA * np.square(s[:length].T @ p[:length]).sum() / 2
    batch = {"word_ids": np.zeros((2, 4), np.int32), "lengths": lengths}
    arguments = (contender.tensors(shared), contender.tensors(own), contender.tensors(batch))
    found = contender.number(network.adversarial_loss(*arguments))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_reversed_gradient_has_the_opposite_sign(contender) -> None:
    values = np.array([1.0, -2.0], np.float32)
    if isinstance(contender, Keras):
        tf = contender.module.tf
        inputs = tf.Variable(values)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(3 * contender.module.reverse_gradient(inputs))
        gradient = tape.gradient(total, inputs)
    else:
        inputs = contender.torch.tensor(values, requires_grad=True)
        total = (3 * contender.module.ReverseGradient.apply(inputs)).sum()
        total.backward()
        gradient = inputs.grad
    assert contender.number(total) == -3
    np.testing.assert_array_equal(gradient, [-3, -3])


def test_decodes_as_enumeration_does(contender) -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(3, 5, 3)).astype(np.float32)
    transitions = rng.normal(size=(3, 3)).astype(np.float32)
    lengths = [5, 3, 1]
    tags, probabilities = contender.decode(scores, lengths, transitions)
    for row, length in enumerate(lengths):
        potentials = scores[row, :length, None, :] + transitions
        potentials[0] -= transitions
        distribution = reference.enumerate_sequences(potentials)
        best = reference.best_sequence(distribution)
        assert np.array(tags)[row, :length].tolist() == best
        marginals = reference.token_marginals(distribution, 3)[np.arange(length), best]
        np.testing.assert_allclose(probabilities[row, :length], marginals, rtol=1e-4)


def test_peers_find_spans_in_raw_text() -> None:
    texts = ["The IL-2 gene", "", "x"]
    seen = []

    def decode(batch):
        seen.append(batch)
        # By the length of a form: B, I, and O for the longest.
        spelled = np.count_nonzero(batch["char_ids"], axis=1)[batch["form_ids"]]
        return np.choose(np.minimum(spelled, 3), [0, 2, 1, 0]), np.full(spelled.shape, 0.5)

    words = {"The": 2, "IL": 3, "0": 4}
    characters = {letter: number for number, letter in enumerate("xIL-2", 2)}
    found = peers.tag(texts, words, characters, decode)
    # A tag I without its B begins an entity all the same.
    assert found == [[(4, 8, "Gene", 0.125)], [], [(0, 1, "Gene", 0.5)]]
    (batch,) = seen
    np.testing.assert_array_equal(batch["lengths"], [1, 5])
    np.testing.assert_array_equal(batch["word_ids"], [[1, 0, 0, 0, 0], [2, 3, 1, 4, 1]])
    assert batch["char_ids"][batch["form_ids"][1, 1]].tolist() == [3, 4, 0, 0]
