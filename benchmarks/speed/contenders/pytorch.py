"""The same networks in PyTorch: nn.LSTM over packed sequences, a CRF in log space.

Threads as PyTorch sets them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from harness import Task
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from contenders import peers, workload

Tensors = dict[str, torch.Tensor]


class BiLSTM(nn.Module):
    """A Bi-LSTM over padded sequences; packed, it does not see the padding."""

    def __init__(self, packed: bool):
        super().__init__()
        self.packed = packed
        width = workload.WORD_DIM + workload.CHAR_FILTERS
        self.lstm = nn.LSTM(width, workload.LSTM_UNITS, batch_first=True, bidirectional=True)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Encodes (batch, time, width)."""
        if not self.packed:
            return self.lstm(features)[0]
        packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


class Encoder(nn.Module):
    """Bi-LSTM, dropout, projection."""

    def __init__(self, packed: bool):
        super().__init__()
        self.bilstm = BiLSTM(packed)
        self.dropout = nn.Dropout(workload.DROPOUT_RATE)
        self.projection = nn.Linear(2 * workload.LSTM_UNITS, workload.PROJECTION_UNITS)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Encodes (batch, time, width)."""
        hidden = self.bilstm(features, lengths)
        return nn.functional.elu(self.projection(self.dropout(hidden)))


class CharCNN(nn.Module):
    """Words from their characters, a row for each distinct one."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(workload.NUM_CHARACTERS, workload.CHAR_DIM)
        self.dropout = nn.Dropout(workload.DROPOUT_RATE)
        self.convolution = nn.Conv1d(
            workload.CHAR_DIM,
            workload.CHAR_FILTERS,
            workload.CHAR_WIDTH,
            padding=workload.CHAR_WIDTH - 1,
        )

    def forward(self, char_ids: torch.Tensor) -> torch.Tensor:
        """Spells (forms, characters)."""
        characters = self.dropout(self.embedding(char_ids)).transpose(1, 2)
        return torch.tanh(self.convolution(characters).amax(2))


class Words(nn.Module):
    """Word vectors and a character CNN, dropped out."""

    def __init__(self, num_words: int):
        super().__init__()
        self.words = nn.Embedding(num_words, workload.WORD_DIM)
        self.characters = CharCNN()
        self.dropout = nn.Dropout(workload.DROPOUT_RATE)

    def forward(self, batch: Tensors) -> torch.Tensor:
        """Represents the words of a batch."""
        spelled = self.characters(batch["char_ids"])[batch["form_ids"]]
        return self.dropout(torch.cat([self.words(batch["word_ids"]), spelled], dim=-1))


class CRF(nn.Module):
    """Scores of tags, of their transitions, and of starting and ending with them."""

    def __init__(self, width: int):
        super().__init__()
        num_tags = len(workload.TAGS)
        self.unary = nn.Linear(width, num_tags)
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags).uniform_(-1, 1))
        self.start = nn.Parameter(torch.zeros(num_tags))
        self.end = nn.Parameter(torch.zeros(num_tags))

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Scores the tags of every token, (batch, time, num_tags)."""
        scores = self.unary(features)
        times = torch.arange(scores.shape[1])
        first = (times == 0)[None, :, None] * self.start
        last = (times == lengths[:, None] - 1)[:, :, None] * self.end
        return scores + first + last


class Network(nn.Module):
    """The network of one corpus over modules that it may share.

    Modules that the structure lacks are None; ``others`` are the Bi-LSTMs that feed the gate.
    """

    def __init__(self, corpus, words, shared, own, others, discriminator):
        super().__init__()
        self.corpus, self.words, self.shared, self.own = corpus, words, shared, own
        self.others, self.discriminator = nn.ModuleList(others), discriminator
        units = workload.PROJECTION_UNITS
        self.gate = nn.Linear(len(others) * units, units) if others else None
        self.crf = CRF(units * sum(part is not None for part in (shared, own)))

    def forward(self, batch: Tensors) -> tuple[torch.Tensor, Any, Any]:
        """Returns the tags' scores, the shared and the private features."""
        inputs = (self.words(batch), batch["lengths"])
        own = self.own(*inputs) if self.own else None
        shared = self.shared(*inputs) if self.shared else None
        gated = own
        if self.gate:
            others = torch.cat([other(*inputs) for other in self.others], dim=-1)
            gated = own * torch.sigmoid(self.gate(others))
        features = torch.cat([part for part in (gated, shared) if part is not None], dim=-1)
        return self.crf(features, batch["lengths"]), shared, own

    def loss_of(self, batch: Tensors) -> torch.Tensor:
        """Returns the loss of a batch."""
        scores, shared, own = self(batch)
        mask, transitions = batch["mask"], self.crf.transitions
        path = path_score(scores, batch["tag_ids"], mask, transitions)
        loss = (log_norm(scores, mask, transitions) - path).mean()
        if self.discriminator:
            loss = loss + self.adversarial_loss(shared, own, batch)
        return loss

    def adversarial_loss(self, shared, own, batch: Tensors) -> torch.Tensor:
        """Returns what keeps shared features shared and private ones apart, weighted."""
        last = shared[torch.arange(len(shared)), batch["lengths"] - 1]
        logits = self.discriminator(ReverseGradient.apply(last))
        labels = torch.full((len(shared),), self.corpus)
        deceived = nn.functional.cross_entropy(logits, labels)
        products = (shared * batch["mask"][:, :, None]).transpose(1, 2) @ own
        alike = products.square().sum((1, 2)).mean()
        return workload.ALPHA * deceived + workload.BETA * alike


class ReverseGradient(torch.autograd.Function):
    """Gives the features back, and their gradient with the opposite sign."""

    @staticmethod
    def forward(ctx, features):
        """Gives the features back."""
        return features.view_as(features)

    @staticmethod
    def backward(ctx, gradient):
        """Reverses the gradient."""
        return -gradient


def log_norm(scores, mask, transitions) -> torch.Tensor:
    """Returns log Z of each sentence; scores are (batch, time, num_tags)."""
    # Time first.
    steps, real = scores.transpose(0, 1), mask.transpose(0, 1)
    alphas = steps[0]
    for step, is_real in zip(steps[1:], real[1:]):
        later = torch.logsumexp(alphas[:, :, None] + transitions, dim=1) + step
        alphas = torch.where(is_real[:, None], later, alphas)
    return torch.logsumexp(alphas, dim=1)


def path_score(scores, tags, mask, transitions) -> torch.Tensor:
    """Returns the score of each sentence's tags."""
    unary = scores.gather(2, tags[:, :, None])[:, :, 0] * mask
    pairs = transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]
    return unary.sum(1) + pairs.sum(1)


def build_networks(setting: workload.Setting, packed: bool = True) -> dict[str, Network]:
    """Builds the network of each corpus."""
    torch.manual_seed(1)
    corpora, wiring = setting.corpora, setting.wiring
    words = Words(setting.num_words)
    shared = Encoder(packed) if wiring.shared else None
    private = {corpus: Encoder(packed) if wiring.private else None for corpus in corpora}
    discriminator = None
    if wiring.adversarial:
        discriminator = nn.Linear(workload.PROJECTION_UNITS, len(corpora))
    networks = {}
    for number, (corpus, own) in enumerate(private.items()):
        others = [other for name, other in private.items() if wiring.gated and name != corpus]
        networks[corpus] = Network(number, words, shared, own, others, discriminator)
    return networks


def build_training(turns: int, packed: bool = True, **setting: Any) -> list[Task]:
    """Returns the turns of training."""
    chosen = workload.Setting(**setting)
    networks = build_networks(chosen, packed)
    parameters = {corpus: list(network.parameters()) for corpus, network in networks.items()}
    distinct = dict.fromkeys(p for of_one in parameters.values() for p in of_one)
    optimizer = torch.optim.RMSprop(
        list(distinct), lr=workload.LEARNING_RATE, alpha=workload.RHO, eps=workload.EPSILON
    )
    tensors = [
        {corpus: to_tensors(batch) for corpus, batch in turn.items()}
        for turn in workload.make_turns(chosen, turns)
    ]

    def train(turn: dict[str, Tensors]) -> None:
        for corpus, network in networks.items():
            optimizer.zero_grad(set_to_none=True)
            network.loss_of(turn[corpus]).backward()
            nn.utils.clip_grad_norm_(parameters[corpus], workload.CLIP_NORM)
            optimizer.step()

    return [lambda turn=turn: train(turn) for turn in tensors]


def to_tensors(batch: workload.Batch) -> Tensors:
    """Turns a batch into PyTorch's tensors, with the mask of its real tokens."""
    tensors = {name: torch.from_numpy(values).long() for name, values in batch.items()}
    mask = torch.arange(tensors["word_ids"].shape[1]) < tensors["lengths"][:, None]
    return {**tensors, "mask": mask}


def build_bilstms(count: int, batch_size: int, length: int, packed: bool = True) -> list[Task]:
    """Returns one pass forward and backward through ``count`` Bi-LSTMs."""
    modules = [BiLSTM(packed) for _ in range(count)]
    features, lengths = map(torch.from_numpy, workload.make_features(batch_size, length))
    features.requires_grad_()
    weights = [weight for module in modules for weight in module.parameters()]

    def run() -> object:
        outputs = [module(features, lengths.long()) for module in modules]
        return torch.autograd.grad(sum(output.sum() for output in outputs), [features, *weights])

    return [run]


def make_decoder(network: Network) -> peers.Decode:
    """Returns what tags a batch: Viterbi, and the marginals as the gradient of log Z."""
    network.eval()

    def run(batch: workload.Batch) -> tuple[np.ndarray, np.ndarray]:
        tensors = to_tensors(batch)
        with torch.no_grad():
            scores, _, _ = network(tensors)
        tags, probabilities = decode_scores(
            scores, tensors["mask"], network.crf.transitions.detach()
        )
        return tags.numpy(), probabilities.numpy()

    return run


def decode_scores(scores, mask, transitions) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the best tags, (batch, time), and the marginal probability of each."""
    tags = viterbi(scores, mask, transitions)
    scores = scores.detach().requires_grad_()
    (marginals,) = torch.autograd.grad(log_norm(scores, mask, transitions).sum(), scores)
    return tags, marginals.gather(2, tags[:, :, None])[:, :, 0]


def viterbi(scores, mask, transitions) -> torch.Tensor:
    """Returns the best tags, (batch, time)."""
    steps, real = scores.transpose(0, 1), mask.transpose(0, 1)
    best, pointers = steps[0], []
    stay = torch.arange(scores.shape[2]).expand_as(best)
    for step, is_real in zip(steps[1:], real[1:]):
        reached, pointer = (best[:, :, None] + transitions).max(1)
        best = torch.where(is_real[:, None], reached + step, best)
        pointers.append(torch.where(is_real[:, None], pointer, stay))
    path = [best.argmax(1)]
    for pointer in reversed(pointers):
        path.append(pointer.gather(1, path[-1][:, None])[:, 0])
    return torch.stack(path[::-1], dim=1)
