"""What defines a run: frozen, validated, and written to and read from ``config.json``."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import PathLike, write_json_atomically

STRUCTURES = (
    "single_task",
    "fully_shared",
    "shared_private",
    "adversarial",
    "cross_sharing",
)
CRFS = ("static", "pairwise")
DROPOUT_PLACES = ("char_input", "lstm_input", "lstm_output")
PRECISIONS = ("float32", "bfloat16")
RANDOM_WORD_DIM = 100
TRAIN_ON = ("train", "train,devel")
DISTRIBUTIONS = ("none", "mirrored", "multiworker")


def _require(condition: bool, flag: str, expected: str, got: Any) -> None:
    if not condition:
        raise UsageError(f"--{flag}: expected {expected}, got {got!r}")


def _require_at_least(minimum: int, config: Any, *flags: str) -> None:
    for flag in flags:
        value = getattr(config, flag)
        _require(value >= minimum, flag, f"a whole number of {minimum} or more", value)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The corpora and the word vectors of a run.

    Attributes:
        data_dir: The directory that holds one directory a corpus.
        corpora: Names of the corpora, the main one first.
        vectors: Path of pretrained word vectors; empty for random ones.
        train_on: "train", or "train,devel" (the paper's protocol: nothing is held out).
        keep_fraction: Share in (0, 1] of the main corpus's training sentences that is kept.
        types: Entity types to keep by corpus; a corpus that is not named keeps all.
        max_vector_words: How many words that training never saw are taken from the vectors.
        strict: Whether an I- tag without its B- is an error (else it is repaired and counted).
    """

    data_dir: str
    corpora: tuple[str, ...]
    vectors: str = ""
    train_on: str = "train"
    keep_fraction: float = 1.0
    types: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    max_vector_words: int = 400_000
    strict: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no run can have."""
        _require(bool(self.corpora), "corpora", "one corpus or more", ",".join(self.corpora))
        _require(
            len(set(self.corpora)) == len(self.corpora),
            "corpora",
            "each corpus once",
            ",".join(self.corpora),
        )
        _require(self.train_on in TRAIN_ON, "train_on", " or ".join(TRAIN_ON), self.train_on)
        _require(
            0 < self.keep_fraction <= 1, "keep_fraction", "a share in (0, 1]", self.keep_fraction
        )
        _require_at_least(0, self, "max_vector_words")
        for name in self.types:
            _require(name in self.corpora, "types", f"one of {', '.join(self.corpora)}", name)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The sharing structure and its sizes; the defaults are the paper's ("Training details").

    Attributes:
        structure: One of ``STRUCTURES``.
        crf: "static" (one transition matrix, tensorflow-addons' CRF), or "pairwise" (the paper's
            Eq. 8: every token has its own score for each pair of tags).
        word_dim: Width of a word's vector; 0 until it is known to be that of the vectors, or
            ``RANDOM_WORD_DIM`` without any.
        char_dim: Width of a character's vector.
        char_filters: Filters of the character CNN.
        char_width: Width of such a filter, in characters.
        max_characters: Characters of a token beyond this many are ignored.
        lstm_units: Units of a Bi-LSTM in each direction.
        projection_units: Width to which a Bi-LSTM's output is projected.
        precision: "float32", or "bfloat16" for the inputs of the Bi-LSTMs' matmuls; everything else
            stays float32.
        dropout_rate: Probability in [0, 1) that a value is dropped.
        dropout_places: Where dropout applies, a subset of ``DROPOUT_PLACES``.
    """

    structure: str = "cross_sharing"
    crf: str = "static"
    word_dim: int = 0
    char_dim: int = 30
    char_filters: int = 30
    char_width: int = 3
    max_characters: int = 64
    lstm_units: int = 256
    projection_units: int = 128
    precision: str = "float32"
    dropout_rate: float = 0.5
    dropout_places: tuple[str, ...] = DROPOUT_PLACES

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no model can have."""
        _require(self.structure in STRUCTURES, "structure", f"one of {STRUCTURES}", self.structure)
        _require(self.crf in CRFS, "crf", f"one of {CRFS}", self.crf)
        _require(self.precision in PRECISIONS, "precision", f"one of {PRECISIONS}", self.precision)
        _require_at_least(0, self, "word_dim")
        _require_at_least(
            1,
            self,
            "char_dim",
            "char_filters",
            "char_width",
            "max_characters",
            "lstm_units",
            "projection_units",
        )
        _require(0 <= self.dropout_rate < 1, "dropout_rate", "a rate in [0, 1)", self.dropout_rate)
        for place in self.dropout_places:
            _require(place in DROPOUT_PLACES, "dropout_places", f"some of {DROPOUT_PLACES}", place)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the parameters are found; the defaults are the paper's ("Training details").

    Attributes:
        epochs: Passes over the main corpus; 0 builds, reports and stops.
        batch_size: Sentences in a batch.
        learning_rate: That of the first epoch.
        learning_rate_decay: Factor on it after every epoch.
        rho: RMSprop's decay rate of the squared gradients.
        clip_norm: The global L2 norm that a gradient is clipped to.
        alpha: Weight of the adversarial loss, for the structures that have it.
        beta: Weight of the loss that keeps shared and private features apart, likewise.
        seed: Of every random draw.
        patience: Epochs without a better devel F1 of the main corpus after which training ends; 0
            never ends it early.
        distribute: "none", or the ``tf.distribute`` strategy: "mirrored" for the devices of this
            machine, "multiworker" for several machines.
    """

    epochs: int = 80
    batch_size: int = 16
    learning_rate: float = 0.001
    learning_rate_decay: float = 0.97
    rho: float = 0.95
    clip_norm: float = 5.0
    alpha: float = 0.01
    beta: float = 0.001
    seed: int = 1
    patience: int = 0
    distribute: str = "none"

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no training can have."""
        _require_at_least(0, self, "epochs", "seed", "patience")
        _require(
            self.distribute in DISTRIBUTIONS,
            "distribute",
            f"one of {DISTRIBUTIONS}",
            self.distribute,
        )
        _require_at_least(1, self, "batch_size")
        _require(
            0 < self.learning_rate < math.inf,
            "learning_rate",
            "a number of more than 0",
            self.learning_rate,
        )
        _require(
            0 < self.learning_rate_decay <= 1,
            "learning_rate_decay",
            "a factor in (0, 1]",
            self.learning_rate_decay,
        )
        _require(0 <= self.rho < 1, "rho", "a rate in [0, 1)", self.rho)
        for name in ("alpha", "beta"):
            weight = getattr(self, name)
            _require(0 <= weight < math.inf, name, "a number of 0 or more", weight)
        _require(
            0 < self.clip_norm < math.inf, "clip_norm", "a number of more than 0", self.clip_norm
        )


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A whole run: what it reads, what it builds and how it trains."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        """Raises UsageError where the parts do not go together."""
        single = self.model.structure == "single_task"
        _require(
            single == (len(self.data.corpora) == 1),
            "corpora",
            "one corpus for single_task and two or more for a multi-task structure",
            f"{','.join(self.data.corpora)} for {self.model.structure}",
        )
        _require(
            self.training.patience == 0 or self.data.train_on == "train",
            "patience",
            "0 where devel is trained on: nothing is left to tell a better epoch by",
            self.training.patience,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the run as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunConfig:
        """Rebuilds what ``to_json`` gave.

        Raises:
            BionerError: An unknown or missing key.
        """
        parts = {"data": DataConfig, "model": ModelConfig, "training": TrainingConfig}
        if not isinstance(value, Mapping) or set(value) != set(parts):
            got = sorted(value) if isinstance(value, Mapping) else repr(value)
            raise BionerError(f"expected the keys {sorted(parts)}, got {got}")
        return cls(**{name: _part_from_json(part, value[name]) for name, part in parts.items()})

    def save(self, path: PathLike) -> None:
        """Writes the run to ``path`` as JSON."""
        write_json_atomically(path, self.to_json())

    @classmethod
    def load(cls, path: PathLike) -> RunConfig:
        """Reads what ``save`` wrote.

        Raises:
            BionerError: No such file, or not a run's configuration.
        """
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BionerError(f"{path}: no such file; expected a run's config.json") from None
        except ValueError as error:
            raise BionerError(f"{path}: expected JSON: {error}") from None
        try:
            return cls.from_json(value)
        except BionerError as error:
            raise BionerError(f"{path}: {error}") from None


def _part_from_json(part: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise BionerError(f"expected the settings of {part.__name__} by name, got {value!r}")
    known = {field.name for field in dataclasses.fields(part)}
    if unknown := sorted(set(value) - known):
        raise BionerError(f"unknown setting {unknown[0]!r}; {part.__name__} has {sorted(known)}")
    kept = dict(value)
    for name, item in value.items():
        if isinstance(item, list):
            kept[name] = tuple(item)
    try:
        if "types" in kept:
            kept["types"] = {name: tuple(types) for name, types in kept["types"].items()}
        return part(**kept)
    except (AttributeError, TypeError) as error:
        raise BionerError(str(error)) from None
