"""Trains word vectors with gensim's word2vec on any text, cut into words as the corpora are."""

from __future__ import annotations

import dataclasses
import glob
import gzip
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bioner_tf.corpora.corpus import TOKEN, read_split
from bioner_tf.corpora.vocabulary import lower_word, normalise_word
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import GZIP_MAGIC, PathLike, publish_file, stage_files
from bioner_tf.terminal import Progress

# gensim ignores words of a sentence beyond this many.
_LONGEST_SENTENCE = 10_000
_CORPUS_SUFFIX = ".tsv"
_SECONDS_BETWEEN_REPORTS = 10.0

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Word2VecConfig:
    """How vectors are trained; the defaults are those of the vectors that the paper compares.

    Attributes:
        dim: Width of a vector.
        window: Words on either side that are predicted.
        sample: Some occurrences of words more frequent than this share are skipped.
        min_count: Rarer words get no vector.
        epochs: Passes over the text.
        skip_gram: Predict the context from the word; else the word from its context.
        hierarchical_softmax: The output layer; else 5 negative samples.
        lower: Lower-case ASCII letters.
        workers: Threads; with 1, the same seed gives the same vectors.
        seed: Seed of the initial values and the skipping.
    """

    dim: int = 200
    window: int = 5
    sample: float = 1e-3
    min_count: int = 5
    epochs: int = 5
    skip_gram: bool = True
    hierarchical_softmax: bool = True
    lower: bool = False
    workers: int = 1
    seed: int = 1


def tokenise(line: str, lower: bool = False) -> list[str]:
    """Cuts a line into words as the taggers look them up: every ASCII digit becomes 0.

    Args:
        line: Any text.
        lower: Whether to lower-case ASCII letters.
    """
    words = map(normalise_word, TOKEN.findall(line))
    return [lower_word(word) for word in words] if lower else list(words)


def find_files(patterns: Sequence[str]) -> list[str]:
    """Finds the files of some paths and patterns (``*``, ``?``, ``**`` for any directories).

    Returns:
        Each file once, sorted within a pattern.

    Raises:
        BionerError: Nothing matches one of them.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        files = [
            path for path in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(path)
        ]
        if not files:
            raise BionerError(f"{pattern}: expected a file of text, or a pattern of some; got none")
        found.update(dict.fromkeys(files))
    return list(found)


class TextFiles:
    """The sentences of text files, plain or gzipped, a line a sentence; may be read repeatedly.

    Args:
        paths: The files, UTF-8; of a corpus (``.tsv``) the tokens are the text.
        lower: Whether to lower-case.
        report: Called every few seconds with a line of progress.
    """

    def __init__(self, paths: Sequence[str], lower: bool = False, report: Report = lambda _: None):
        self._paths = paths
        self._lower = lower
        self._report = report

    def __iter__(self) -> Iterator[list[str]]:
        """Yields the words of each sentence; a very long one in parts.

        Raises:
            BionerError: A file is not UTF-8, or a gzipped one is damaged.
        """
        words, told = 0, time.monotonic()
        for number, path in enumerate(self._paths, start=1):
            for line in _corpus_lines(path) if path.endswith(_CORPUS_SUFFIX) else _lines(path):
                tokens = tokenise(line, self._lower)
                words += len(tokens)
                for start in range(0, len(tokens), _LONGEST_SENTENCE):
                    yield tokens[start : start + _LONGEST_SENTENCE]
                if time.monotonic() - told > _SECONDS_BETWEEN_REPORTS:
                    told = time.monotonic()
                    self._report(f"  {words:,} words, file {number} of {len(self._paths)}")


def _corpus_lines(path: str) -> Iterator[str]:
    return (" ".join(sentence.tokens) for sentence in read_split(path).sentences)


class _TextForThreads:
    """Text that ends where it cannot be read, and keeps the error.

    gensim reads in a thread, and waits forever when that thread dies of an error.
    """

    def __init__(self, text: TextFiles):
        self._text = text
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[list[str]]:
        try:
            yield from self._text
        except Exception as error:
            self._error = error

    def raise_error(self) -> None:
        """Raises what ended the text early."""
        if self._error is not None:
            raise self._error


def _lines(path: str) -> Iterator[str]:
    with open(path, "rb") as stream:
        packed = stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    opened = gzip.open(path, "rb") if packed else open(path, "rb")  # noqa: SIM115 - closed below
    number = 1
    try:
        with opened as lines:
            for line in lines:
                yield line.decode("utf-8")
                number += 1
    except UnicodeDecodeError as error:
        raise BionerError(
            f"{path}:{number}: expected UTF-8: {error.reason}; convert the file"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BionerError(f"{path}:{number}: expected a whole gzip file: {error}") from None


def train_vectors(
    paths: Sequence[str], output: PathLike, config: Word2VecConfig, report: Report = print
) -> int:
    """Trains vectors and writes them.

    Args:
        paths: The files of text.
        output: The file to write: word2vec binary if it ends in .bin (or .bin.gz), else text. It
            appears when it is complete.
        config: How to train.
        report: Called with each line of progress.

    Returns:
        How many words have a vector.

    Raises:
        BionerError: The text cannot be read, no word is frequent enough, or another process
            writes the same file.
    """
    from gensim.models import Word2Vec

    # Refuse a wrong name now, not after hours of training.
    is_binary = _is_binary(output)
    output = Path(output)
    text = TextFiles(paths, config.lower, report)
    model = Word2Vec(
        vector_size=config.dim,
        window=config.window,
        sample=config.sample,
        min_count=config.min_count,
        sg=int(config.skip_gram),
        hs=int(config.hierarchical_softmax),
        negative=0 if config.hierarchical_softmax else 5,
        workers=config.workers,
        seed=config.seed,
    )
    with stage_files(output) as staging:
        report(f"counting the words of {len(paths)} files")
        model.build_vocab(text)
        if not model.wv.key_to_index:
            raise BionerError(
                f"{paths[0]}: expected a word that occurs {config.min_count} times, got none; "
                "give more text, or a lower --min_count"
            )
        report(f"{model.corpus_total_words:,} words, {len(model.wv):,} distinct ones to train")
        _train(model, text, config, report)
        # gensim decides by the name whether to compress.
        model.wv.save_word2vec_format(str(staging / output.name), binary=is_binary)
        publish_file(staging / output.name, output)
    return len(model.wv)


def _train(model: Any, text: TextFiles, config: Word2VecConfig, report: Report) -> None:
    from gensim.models import Word2Vec
    from gensim.models.callbacks import CallbackAny2Vec

    readable = _TextForThreads(text)

    class EpochReport(CallbackAny2Vec):
        def __init__(self) -> None:
            self.epoch = 0
            self.progress = Progress("epochs", config.epochs)

        def on_epoch_end(self, model: Word2Vec) -> None:
            readable.raise_error()
            self.epoch += 1
            rate = self.progress.rate(self.epoch * model.corpus_total_words)
            left = self.progress.time_left(self.epoch)
            report(f"epoch {self.epoch}/{config.epochs}  {rate:,.0f} words/s  {left} left")

    model.train(
        readable,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=config.epochs,
        callbacks=[EpochReport()],
    )


def _is_binary(output: PathLike) -> bool:
    name = Path(output).name
    plain = name[: -len(".gz")] if name.endswith(".gz") else name
    if not plain.endswith((".bin", ".txt", ".vec")):
        raise UsageError(
            "--output: expected a name in .bin (word2vec binary), .txt or .vec (word2vec text), "
            f"also with .gz behind it; got {name!r}"
        )
    return plain.endswith(".bin")
