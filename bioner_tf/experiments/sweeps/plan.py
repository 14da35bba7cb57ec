"""The cells (runs) of an experiment, each with a readable, stable name."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bioner_tf.config import (
    ABBREVIATIONS,
    ModelConfig,
    TrainingConfig,
    check_setting,
    settings,
)
from bioner_tf.errors import UsageError

_UNSAFE = re.compile(r"[^\w.+=-]+")
_SETTINGS = {setting.name: setting for setting in settings()}
# The dimensions of a plan that list the values of one setting.
DIMENSIONS = {
    "structures": _SETTINGS["structure"],
    "types": _SETTINGS["types"],
    "keep_fractions": _SETTINGS["keep_fraction"],
    "vectors": _SETTINGS["vectors"],
    "alphas": _SETTINGS["alpha"],
    "betas": _SETTINGS["beta"],
    "crfs": _SETTINGS["crf"],
    "seeds": _SETTINGS["seed"],
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run of an experiment.

    Attributes:
        structure: One of ``config.STRUCTURES``.
        corpora: The main corpus first; the main one alone for ``single_task``.
        flags: The other flags of ``bioner-train`` as (name, value), in the order of the command.
    """

    structure: str
    corpora: tuple[str, ...]
    flags: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The name of the run directory: structure, corpora, abbreviated flags."""
        parts = [ABBREVIATIONS[self.structure], "+".join(self.corpora)]
        parts += [
            _SHORT.get(name, f"{name}={{}}").format(_stem(value)) for name, value in self.flags
        ]
        return "_".join(_UNSAFE.sub("-", part) for part in parts)

    def flag(self, name: str) -> str | None:
        """Returns the value of a flag; None if it is not given."""
        return dict(self.flags).get(name)

    @property
    def epochs(self) -> int:
        """The number of epochs of the finished run."""
        return int(dict(self.flags)["epochs"])

    @property
    def types(self) -> dict[str, tuple[str, ...]]:
        """The kept entity types by corpus; corpora that keep all types are left out."""
        corpus, _, types = (self.flag("types") or "").rpartition(":")
        return {corpus: tuple(types.split("+"))} if corpus else {}

    def vectors_path(self, vectors_dir: str) -> str:
        """Returns the path of the word vectors; "" for random ones."""
        name = self.flag("vectors")
        return os.path.join(vectors_dir, name) if name else ""

    def arguments(self, data_dir: str, vectors_dir: str, run_dir: str) -> list[str]:
        """Returns the arguments of ``bioner-train``, without the program.

        Args:
            data_dir: Where the corpora are.
            vectors_dir: Where the files of word vectors are.
            run_dir: The run's directory.
        """
        given = {
            "structure": self.structure,
            "corpora": ",".join(self.corpora),
            "data_dir": data_dir,
            "run_dir": run_dir,
            **dict(self.flags),
        }
        given["vectors"] = self.vectors_path(vectors_dir)
        return [f"--{name}={value}" for name, value in given.items()]


# How a flag appears in a name; others appear as name=value.
_SHORT = {
    "vectors": "{}",
    "train_on": "{}",
    "crf": "{}",
    "keep_fraction": "keep{}",
    "types": "{}",
    "alpha": "alpha{}",
    "beta": "beta{}",
    "epochs": "e{}",
    "seed": "s{}",
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """An experiment: the product of its dimensions.

    Attributes:
        structures: Sharing structures.
        mains: Main corpora, each trained with each of ``auxiliaries``.
        auxiliaries: Auxiliary corpora.
        pairs: Further sets of corpora to train together, the main one first.
        types: Entity types to keep, as ``bioner-train`` takes them; "" keeps all.
        keep_fractions: Shares of the main corpus's training sentences.
        vectors: Files of word vectors; "" for random ones.
        alphas: Weights of the adversarial loss (adversarial structure only).
        betas: Weights of the difference loss (adversarial structure only).
        crfs: Kinds of CRF.
        seeds: Seeds.
        epochs: Epochs of every run.
        train_on: The splits that every run is trained on.
        extra: Further flags of ``bioner-train``, the same for every run.
    """

    structures: Sequence[str]
    mains: Sequence[str] = ()
    auxiliaries: Sequence[str] = ()
    pairs: Sequence[tuple[str, ...]] = ()
    types: Sequence[str] = ("",)
    keep_fractions: Sequence[float] = (1.0,)
    vectors: Sequence[str] = ("",)
    alphas: Sequence[float] = (TrainingConfig.alpha,)
    betas: Sequence[float] = (TrainingConfig.beta,)
    crfs: Sequence[str] = (ModelConfig.crf,)
    seeds: Sequence[int] = (TrainingConfig.seed,)
    epochs: int = TrainingConfig.epochs
    train_on: str = "train,devel"
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UsageError for a value that no run can have, and for missing corpora."""
        for name, setting in DIMENSIONS.items():
            for value in getattr(self, name):
                check_setting(setting, value, flag=name)
        if bool(self.auxiliaries) and not self.mains:
            raise UsageError("--auxiliaries: expected --mains beside them, got none")
        if not self.mains and not self.pairs:
            raise UsageError("expected corpora: --mains (and --auxiliaries), or --pairs; got none")

    def cells(self) -> list[Cell]:
        """Returns every run once, in the order of the dimensions.

        Raises:
            UsageError: A multi-task structure lacks an auxiliary corpus, or two different runs
                would have the same name.
        """
        product = itertools.product(
            self._corpora(),
            self.structures,
            self.types,
            self.keep_fractions,
            self.vectors,
            self.crfs,
            self.alphas,
            self.betas,
            self.seeds,
        )
        # A structure ignores some settings (the single task its auxiliary corpora, most structures
        # the weights of the losses); keep one of the equal cells.
        cells = list(dict.fromkeys(self._cell(*values) for values in product))
        names = collections.Counter(cell.name for cell in cells)
        name, count = names.most_common(1)[0]
        if count > 1:
            raise UsageError(
                f"expected names that differ, got {count} different runs called {name}"
            )
        return cells

    def _corpora(self) -> list[tuple[str, ...]]:
        if not self.auxiliaries:
            return [*self.pairs, *((main,) for main in self.mains)]
        return [*self.pairs, *itertools.product(self.mains, self.auxiliaries)]

    def _cell(
        self,
        corpora: tuple[str, ...],
        structure: str,
        types: str,
        fraction: float,
        vectors: str,
        crf: str,
        alpha: float,
        beta: float,
        seed: int,
    ) -> Cell:
        single = structure == "single_task"
        if not single and len(corpora) < 2:
            raise UsageError(
                f"--structures: {structure} takes two or more corpora, got {corpora[0]} alone; "
                "give --auxiliaries, or --pairs like MAIN+AUXILIARY"
            )
        corpora = corpora[:1] if single else corpora
        flags = {"vectors": vectors, "train_on": self.train_on}
        if crf != "static":
            flags["crf"] = crf
        # Ignore types of a corpus that is not trained on.
        if types and types.rpartition(":")[0] in corpora:
            flags["types"] = types
        if fraction != 1:
            flags["keep_fraction"] = f"{fraction:g}"
        if structure == "adversarial":
            flags.update(alpha=f"{alpha:g}", beta=f"{beta:g}")
        flags.update(self.extra, epochs=str(self.epochs), seed=str(seed))
        return Cell(structure, corpora, tuple(flags.items()))


def plan_from_flags(flags: Mapping[str, Any]) -> Plan:
    """Builds a plan from the values of the flags of ``bioner-sweep``, by flag.

    Raises:
        UsageError: A flag has a value that no run can have.
    """
    values = {name: flags[name] for name in ("mains", "auxiliaries", "epochs", "train_on")}
    values["pairs"] = [tuple(pair.split("+")) for pair in flags["pairs"]]
    for name in DIMENSIONS:
        values[name] = _parse_values(name, flags[name] or [""])
    for value in flags["train_flag"]:
        if "=" not in value:
            raise UsageError(f"--train_flag: expected name=value, got {value!r}")
    extra = (value.lstrip("-").partition("=") for value in flags["train_flag"])
    return Plan(**values, extra={name: value for name, _, value in extra})


def _parse_values(name: str, texts: Sequence[str]) -> list[Any]:
    setting = DIMENSIONS[name]
    parse: Any = {"int": int, "float": float}.get(str(setting.type), str)
    try:
        return [parse(text) for text in texts]
    except ValueError:
        raise UsageError(
            f"--{name}: expected {setting.metadata['within'].description}, got {','.join(texts)!r}"
        ) from None


def select_cells(
    cells: Sequence[Cell],
    only: Iterable[str] = (),
    shard: tuple[int, int] = (1, 1),
    max_cells: int | None = None,
) -> list[Cell]:
    """Picks a part of an experiment.

    Args:
        cells: All cells.
        only: Patterns with ``*`` and ``?``; keeps cells with any of them in the name. Empty: all.
        shard: ``(i, n)``: keeps the i-th (from 1) of n parts of these cells.
        max_cells: Keeps at most this many cells of that part, from its start.

    Raises:
        UsageError: No name matches.
    """
    patterns = [f"*{pattern}*" for pattern in only]
    left = [
        cell
        for cell in cells
        if not patterns or any(fnmatch.fnmatchcase(cell.name, pattern) for pattern in patterns)
    ]
    if not left:
        raise UsageError(
            f"--only: expected a part of a cell's name, as --dry_run shows them (like "
            f"{cells[0].name}); got {', '.join(only)}"
        )
    part, parts = shard
    return left[part - 1 :: parts][:max_cells]


def parse_shard(text: str) -> tuple[int, int]:
    """Reads ``i/n`` with 1 <= i <= n.

    Raises:
        UsageError: It is anything else.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match:
        part, parts = int(match[1]), int(match[2])
        if 1 <= part <= parts:
            return part, parts
    raise UsageError(f"--shard: expected i/n with i from 1 to n, like 2/8; got {text!r}")


def _stem(value: str) -> str:
    """Shortens a value for a name: a file of vectors loses its folder and its ending."""
    stem = re.sub(r"(\.(txt|bin|vec|gz))+$", "", value.rpartition("/")[2])
    return stem.replace(",", "+") or "random"
