"""The same networks in PyTorch: nn.LSTM over packed sequences, a CRF in log space.

Threads as PyTorch sets them.
"""

from __future__ import annotations

import functools
from typing import Callable

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from contenders import workload

Tensors = dict[str, torch.Tensor]


class Encoder(nn.Module):
    """Bi-LSTM, dropout, projection."""

    def __init__(self, packed: bool):
        super().__init__()
        self.packed = packed
        width = workload.WORD_DIM + workload.CHAR_FILTERS
        self.bilstm = nn.LSTM(width, workload.LSTM_UNITS, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(workload.DROPOUT_RATE)
        self.projection = nn.Linear(2 * workload.LSTM_UNITS, workload.PROJECTION_UNITS)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Encodes (batch, time, width)."""
        if self.packed:
            packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
            hidden, _ = pad_packed_sequence(self.bilstm(packed)[0], batch_first=True)
        else:
            hidden, _ = self.bilstm(features)
        return nn.functional.elu(self.projection(self.dropout(hidden)))


class Words(nn.Module):
    """Word vectors and a character CNN, dropped out."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(workload.NUM_WORDS, workload.WORD_DIM)
        self.characters = nn.Embedding(workload.NUM_CHARACTERS, workload.CHAR_DIM)
        self.convolution = nn.Conv1d(
            workload.CHAR_DIM,
            workload.CHAR_FILTERS,
            workload.CHAR_WIDTH,
            padding=workload.CHAR_WIDTH - 1,
        )
        self.dropout = nn.Dropout(workload.DROPOUT_RATE)

    def forward(self, batch: Tensors) -> torch.Tensor:
        """Represents the words of a batch."""
        characters = self.dropout(self.characters(batch["char_ids"])).transpose(1, 2)
        spelled = torch.tanh(self.convolution(characters).amax(2))[batch["form_ids"]]
        return self.dropout(torch.cat([self.words(batch["word_ids"]), spelled], dim=-1))


class Network(nn.Module):
    """The network of one corpus over modules that it may share; its loss."""

    def __init__(self, words: Words, shared: Encoder, own: Encoder, others: list[Encoder]):
        super().__init__()
        self.words, self.own, self.others = words, own, nn.ModuleList(others)
        features = workload.PROJECTION_UNITS
        if others:
            self.shared = shared
            self.gate = nn.Linear(len(others) * features, features)
            features *= 2
        self.unary = nn.Linear(features, len(workload.TAGS))
        self.transitions = nn.Parameter(torch.zeros(len(workload.TAGS), len(workload.TAGS)))

    def forward(self, batch: Tensors) -> torch.Tensor:
        """Returns the mean negative log-likelihood of a batch."""
        inputs = (self.words(batch), batch["lengths"])
        features = self.own(*inputs)
        if len(self.others):
            others = torch.cat([other(*inputs) for other in self.others], dim=-1)
            gated = features * torch.sigmoid(self.gate(others))
            features = torch.cat([gated, self.shared(*inputs)], dim=-1)
        return self._negative_log_likelihood(self.unary(features), batch).mean()

    def _negative_log_likelihood(self, scores: torch.Tensor, batch: Tensors) -> torch.Tensor:
        tags, mask = batch["tag_ids"], batch["mask"]
        # Time first: (time, batch, num_tags).
        steps, real = scores.transpose(0, 1), mask.transpose(0, 1)
        alphas = steps[0]
        for step, is_real in zip(steps[1:], real[1:]):
            later = torch.logsumexp(alphas[:, :, None] + self.transitions, dim=1) + step
            alphas = torch.where(is_real[:, None], later, alphas)
        unary = scores.gather(2, tags[:, :, None])[:, :, 0] * mask
        pairs = self.transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]
        return torch.logsumexp(alphas, dim=1) - unary.sum(1) - pairs.sum(1)


def build(
    structure: str, turns: list[dict[str, workload.Batch]], packed: bool = True
) -> Callable[[int], None]:
    """Returns a function that takes turn k."""
    torch.manual_seed(1)
    words, shared = Words(), Encoder(packed)
    private = {corpus: Encoder(packed) for corpus in turns[0]}
    networks = {}
    for corpus, own in private.items():
        others = [encoder for name, encoder in private.items() if name != corpus]
        networks[corpus] = Network(words, shared, own, others)
    parameters = {corpus: list(network.parameters()) for corpus, network in networks.items()}
    distinct = dict.fromkeys(p for of_one in parameters.values() for p in of_one)
    optimizer = torch.optim.RMSprop(
        list(distinct), lr=workload.LEARNING_RATE, alpha=workload.RHO, eps=workload.EPSILON
    )
    tensors = [{corpus: _to_tensors(batch) for corpus, batch in turn.items()} for turn in turns]

    def train(number: int) -> None:
        for corpus, network in networks.items():
            optimizer.zero_grad(set_to_none=True)
            network(tensors[number][corpus]).backward()
            nn.utils.clip_grad_norm_(parameters[corpus], workload.CLIP_NORM)
            optimizer.step()

    return train


def _to_tensors(batch: workload.Batch) -> Tensors:
    tensors = {name: torch.from_numpy(values).long() for name, values in batch.items()}
    mask = torch.arange(tensors["word_ids"].shape[1]) < tensors["lengths"][:, None]
    return {**tensors, "mask": mask}


build_padded = functools.partial(build, packed=False)
