"""The configuration of a run: frozen, validated, written to and read from ``config.json``.

Each setting is defined here once: the flag of ``bioner-train`` of the same name has its default,
choices, range and help.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union

from bioner_tf.errors import BionerError, UsageError
from bioner_tf.files import PathLike, write_json_atomically

# The paper's names of the structures.
ABBREVIATIONS = {
    "single_task": "STM",
    "fully_shared": "FS-MTM",
    "shared_private": "SP-MTM",
    "adversarial": "ADV-MTM",
    "cross_sharing": "CS-MTM",
}
STRUCTURES = tuple(ABBREVIATIONS)
CRFS = ("static", "pairwise")
DROPOUT_PLACES = ("char_input", "lstm_input", "lstm_output")
# The place of the dropout that takes whole words, for ``TaggerBuilder.dropout``.
WORD_DROPOUT = "word"
PRECISIONS = ("float32", "bfloat16")
TABLE_PRECISIONS = ("float32", "float16")
RANDOM_WORD_DIM = 100
TRAIN_ON = ("train", "train,devel")
DISTRIBUTIONS = ("none", "mirrored", "multiworker")


class Range(NamedTuple):
    """The numbers that a setting may have: a description and a test."""

    description: str
    includes: Callable[[float], bool]


_FROM_0 = Range("a whole number of 0 or more", lambda value: value >= 0)
_FROM_1 = Range("a whole number of 1 or more", lambda value: value >= 1)
# TensorFlow and NumPy take seeds of 32 bits.
_SEED = Range("a whole number from 0 to 4294967295", lambda value: 0 <= value < 2**32)
_SHARE = Range("a share in (0, 1]", lambda value: 0 < value <= 1)
_RATE = Range("a rate in [0, 1)", lambda value: 0 <= value < 1)
_POSITIVE = Range("a number of more than 0", lambda value: 0 < value < math.inf)
_WEIGHT = Range("a number of 0 or more", lambda value: 0 <= value < math.inf)


def _setting(
    help_text: str,
    default: Any = dataclasses.MISSING,
    *,
    default_factory: Any = dataclasses.MISSING,
    choices: tuple[str, ...] = (),
    within: Range | None = None,
) -> Any:
    """Declares a field of a configuration.

    Args:
        help_text: The help of the flag.
        default: The value if none is given; without it the setting is required.
        default_factory: Makes the default, in place of ``default``.
        choices: The values that are allowed; for a tuple, those of its items. Empty: any.
        within: The numbers that are allowed. None: any.
    """
    metadata = {"help": help_text, "choices": choices, "within": within}
    if default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=default_factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def check_setting(setting: dataclasses.Field[Any], value: Any, flag: str) -> None:
    """Checks the value of a setting.

    Args:
        setting: The setting.
        value: The value.
        flag: The flag that has the value, for the message.

    Raises:
        UsageError: The value is outside the choices or the range of the setting.
    """
    choices, within = setting.metadata["choices"], setting.metadata["within"]
    if choices:
        one_of = "some of" if isinstance(value, tuple) else "one of"
        for item in value if isinstance(value, tuple) else [value]:
            _require(item in choices, flag, f"{one_of} {choices}", item)
    elif within is not None:
        _require(within.includes(value), flag, within.description, value)


def _check_settings(config: Config) -> None:
    for field in dataclasses.fields(config):
        check_setting(field, getattr(config, field.name), field.name)


def _is_directory_name(name: str) -> bool:
    return name not in ("", ".", "..") and not name.startswith("-") and not {"/", "\0"} & {*name}


def _require(condition: bool, flag: str, expected: str, got: Any) -> None:
    if not condition:
        raise UsageError(f"--{flag}: expected {expected}, got {got!r}")


def parse_temperature(value: str) -> float | None:
    """Reads ``--temperature`` of ``bioner-export``; returns None for ``auto``.

    Raises:
        UsageError: It is neither ``auto`` nor a number above 0.
    """
    if value == "auto":
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UsageError(f"--temperature: expected auto or a number above 0, got {value!r}")
    return number


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The corpora and the word vectors of a run."""

    data_dir: str = _setting("Directory that holds one directory for each corpus.")
    corpora: tuple[str, ...] = _setting("Directories below --data_dir, the main corpus first.")
    vectors: str = _setting(
        "Word vectors (GloVe or word2vec, also .gz); empty: random ones.", default=""
    )
    train_on: str = _setting(
        "The splits to learn from. With train, the epoch that is best on devel is kept; with "
        "train,devel (the paper's protocol) the last one.",
        default="train",
        choices=TRAIN_ON,
    )
    keep_fraction: float = _setting(
        "Share of the main corpus's training sentences to keep.", default=1.0, within=_SHARE
    )
    types: Mapping[str, tuple[str, ...]] = _setting(
        "CORPUS:TypeA+TypeB keeps only these entity types of a corpus.", default_factory=dict
    )
    max_vector_words: int = _setting(
        "How many words of --vectors to add that training never saw, so that new text finds them.",
        default=400_000,
        within=_FROM_0,
    )
    strict: bool = _setting(
        "Refuse an I- tag without its B- instead of repairing it.", default=False
    )

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no run can have."""
        _check_settings(self)
        names = ",".join(self.corpora)
        _require(bool(self.corpora), "corpora", "one corpus or more", names)
        for name in self.corpora:
            _require(_is_directory_name(name), "corpora", "names of directories", name)
        _require(len(set(self.corpora)) == len(self.corpora), "corpora", "each corpus once", names)
        for name in self.types:
            _require(name in self.corpora, "types", f"one of {', '.join(self.corpora)}", name)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The sharing structure and its sizes; the defaults are the paper's ("Training details")."""

    structure: str = _setting("What corpora share.", default="cross_sharing", choices=STRUCTURES)
    crf: str = _setting(
        "static: one matrix of transition scores; pairwise: the paper's Eq. 8, in which each token "
        "has its own score for each pair of tags.",
        default="static",
        choices=CRFS,
    )
    word_dim: int = _setting(
        f"Width of the word vectors; 0: that of --vectors, and {RANDOM_WORD_DIM} without any.",
        default=0,
        within=_FROM_0,
    )
    char_dim: int = _setting("Width of a character's vector.", default=30, within=_FROM_1)
    char_filters: int = _setting("Filters of the character CNN.", default=30, within=_FROM_1)
    char_width: int = _setting(
        "Characters that a filter of the CNN spans.", default=3, within=_FROM_1
    )
    max_characters: int = _setting(
        "Characters of a token beyond these are ignored.", default=64, within=_FROM_1
    )
    lstm_units: int = _setting("Units of a Bi-LSTM in each direction.", default=256, within=_FROM_1)
    projection_units: int = _setting(
        "Width of a Bi-LSTM's projected output.", default=128, within=_FROM_1
    )
    precision: str = _setting(
        "Precision of the Bi-LSTMs' matmuls; everything else is float32. bfloat16 is faster on a "
        "processor that has it, and rounds more.",
        default="float32",
        choices=PRECISIONS,
    )
    dropout_rate: float = _setting(
        "Probability that a value is dropped.", default=0.5, within=_RATE
    )
    dropout_places: tuple[str, ...] = _setting(
        f"Where dropout applies: some of {', '.join(DROPOUT_PLACES)}.",
        default=DROPOUT_PLACES,
        choices=DROPOUT_PLACES,
    )
    word_dropout: float = _setting(
        "Probability that training takes a word for the unknown word, so that new text's unknown "
        "words are met in training; 0, as in the paper: never.",
        default=0.0,
        within=_RATE,
    )

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no model can have."""
        _check_settings(self)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How the parameters are learned; the defaults are the paper's ("Training details")."""

    epochs: int = _setting(
        "Passes over the main corpus; 0 builds, reports and stops.", default=80, within=_FROM_0
    )
    batch_size: int = _setting("Sentences in a batch.", default=16, within=_FROM_1)
    learning_rate: float = _setting(
        "Learning rate of the first epoch.", default=0.001, within=_POSITIVE
    )
    learning_rate_decay: float = _setting(
        "Factor on the learning rate after every epoch.",
        default=0.97,
        within=Range("a factor in (0, 1]", _SHARE.includes),
    )
    rho: float = _setting(
        "RMSprop's decay rate of the squared gradients.", default=0.95, within=_RATE
    )
    average_decay: float = _setting(
        "Score and export a moving average of the weights, which a turn (a batch of each corpus) "
        "decays by this factor; 0: the weights of the last turn, as the paper does.",
        default=0.0,
        within=_RATE,
    )
    clip_norm: float = _setting(
        "Global L2 norm that gradients are clipped to.", default=5.0, within=_POSITIVE
    )
    alpha: float = _setting("Weight of the adversarial loss.", default=0.01, within=_WEIGHT)
    beta: float = _setting(
        "Weight of the loss that keeps shared and private features apart.",
        default=0.001,
        within=_WEIGHT,
    )
    seed: int = _setting("Seed of all random draws.", default=1, within=_SEED)
    patience: int = _setting(
        "End after so many epochs without a better devel F1 of the main corpus; 0: never early.",
        default=0,
        within=_FROM_0,
    )
    distribute: str = _setting(
        "none; mirrored: the devices of this machine; multiworker: several machines (TF_CONFIG). "
        "Each device takes its own batches, gradients are averaged: n devices act as n times "
        "--batch_size.",
        default="none",
        choices=DISTRIBUTIONS,
    )

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no training can have."""
        _check_settings(self)


Config = Union[DataConfig, ModelConfig, TrainingConfig]
PARTS = {"data": DataConfig, "model": ModelConfig, "training": TrainingConfig}


def settings() -> Iterator[dataclasses.Field[Any]]:
    """Yields the field of every setting; ``metadata`` has its help, choices and range."""
    for part in PARTS.values():
        yield from dataclasses.fields(part)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """A whole run: what it reads, what it builds and how it trains.

    Attributes:
        data: The corpora and the word vectors.
        model: The sharing structure and its sizes.
        training: How it is trained.
    """

    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        """Raises UsageError if the parts contradict each other."""
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
            "0 where devel is trained on, because no split is left to compare epochs on",
            self.training.patience,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the run as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunConfig:
        """Builds a run from what ``to_json`` returned.

        Raises:
            BionerError: An unknown or missing key.
        """
        if not isinstance(value, Mapping) or set(value) != set(PARTS):
            got = sorted(value) if isinstance(value, Mapping) else repr(value)
            raise BionerError(f"expected the keys {sorted(PARTS)}, got {got}")
        return cls(**{name: _part_from_json(part, value[name]) for name, part in PARTS.items()})

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> RunConfig:
        """Builds a run from the values of all its settings, by name."""
        return cls(
            **{
                name: part(**{field.name: values[field.name] for field in dataclasses.fields(part)})
                for name, part in PARTS.items()
            }
        )

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


# The JSON values that a field of each type may have; the others are lists and objects.
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}


def _part_from_json(part: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise BionerError(f"expected the settings of {part.__name__} by name, got {value!r}")
    known = {field.name for field in dataclasses.fields(part)}
    if unknown := sorted(set(value) - known):
        raise BionerError(f"unknown setting {unknown[0]!r}; {part.__name__} has {sorted(known)}")
    for field in dataclasses.fields(part):
        expected = _JSON_TYPES.get(str(field.type), (list, tuple, dict))
        item = value.get(field.name, expected[0]())
        if not isinstance(item, expected) or (isinstance(item, bool) and bool not in expected):
            raise BionerError(f"{field.name}: expected {field.type}, got {item!r}")
        inner = item if isinstance(item, (list, tuple)) else ()
        if not all(isinstance(each, str) for each in inner):
            raise BionerError(f"{field.name}: expected texts, got {item!r}")
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
