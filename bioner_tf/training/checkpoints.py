"""Checkpoints that become visible only when complete."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import tensorflow as tf

from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike, publish_directory, remove_directory
from bioner_tf.models import MultiTaskTagger
from bioner_tf.training.average import WeightAverage
from bioner_tf.training.optimizer import RMSprop

_NAME = "epoch-{:04d}"
_PREFIX = "state"
_PATTERN = re.compile(r"epoch-(\d{4,})$")

# Keras numbers the layers of one name: forward_lstm, forward_lstm_1.
_LSTM_SUFFIX = re.compile(r"_lstm(_\d+)?$")

_LOG = logging.getLogger(__name__)


class DamagedCheckpointError(BionerError):
    """The files of a checkpoint are not what was written."""


def name_variables(tagger: MultiTaskTagger) -> dict[str, tf.Variable]:
    """Names each trainable variable by its part, as ``private.<corpus>.bilstm.forward.kernel``."""
    named = {}
    for layers in tagger.parts.values():
        for layer in layers:
            for variable in layer.trainable_variables:
                # The first part names the layer, or a layer that runs several layers at once.
                _, *inner = variable.name.split(":")[0].split("/")
                inner = [_LSTM_SUFFIX.sub("", name) for name in inner if name != "lstm_cell"]
                named[variable.ref()] = ".".join([layer.name, *inner])
    variables = {named[variable.ref()]: variable for variable in tagger.variables()}
    if len(variables) < len(named):
        raise ValueError(f"two variables have one name: {sorted(named.values())}")
    return variables


def list_epochs(directory: Path) -> list[int]:
    """Returns the epochs that have a checkpoint in a directory, in ascending order."""
    if not directory.is_dir():
        return []
    matches = (_PATTERN.match(path.name) for path in directory.iterdir())
    return sorted(int(match[1]) for match in matches if match)


class CheckpointStore:
    """The checkpoints of a run, one directory per epoch.

    A checkpoint holds a tensor for each variable under the variable's name. Older ones name a
    weight by its position in the list of all weights; they can still be restored. If the
    optimizer averages the weights, their names hold the averages, for evaluation and export;
    ``optimizer.weights.<name>`` holds the weights themselves, for training.

    Args:
        directory: The directory of the checkpoints.
        weights: The weights by name, in the order of ``MultiTaskTagger.variables``.
        updates: The training steps taken so far.
        optimizer: The optimizer whose state the checkpoints also hold; None: only use the weights.
    """

    def __init__(
        self,
        directory: PathLike,
        weights: Mapping[str, tf.Variable],
        updates: tf.Variable,
        optimizer: RMSprop | None = None,
    ):
        self._directory = Path(directory)
        self._variables = {**weights, "updates": updates}
        self._average: WeightAverage | None = None
        self._weights = list(weights)
        self._old_names = {name: f"weights/{n}" for n, name in enumerate(weights)}
        self._old_names["updates"] = "updates"
        if optimizer is not None:
            state = optimizer.named_state(list(weights))
            self._average = optimizer.average
            if self._average is not None:
                self._variables = {f"optimizer.weights.{n}": v for n, v in weights.items()}
                self._variables["updates"] = updates
            self._variables.update({f"optimizer.{name}": v for name, v in state.items()})
            for position, name in enumerate(weights, start=1):
                self._old_names[f"optimizer.velocity.{name}"] = f"optimizer/_variables/{position}"
            for name in ("last_updates", "learning_rate"):
                self._old_names[f"optimizer.{name}"] = f"optimizer/_{name}"

    def epochs(self) -> list[int]:
        """Returns the epochs that have a checkpoint, in ascending order."""
        return list_epochs(self._directory)

    def save(self, epoch: int) -> None:
        """Saves the state after ``epoch`` epochs.

        Raises:
            BionerError: TensorFlow cannot write it, for instance because the disk is full.
        """
        path = self._path(epoch)
        tensors = {name: variable.read_value() for name, variable in self._variables.items()}
        if self._average is not None:
            tensors.update(zip(self._weights, self._average.values()))
        try:
            with publish_directory(path) as directory, tf.device("CPU"):
                tf.raw_ops.SaveV2(
                    prefix=str(directory / _PREFIX),
                    tensor_names=list(tensors),
                    shape_and_slices=[""] * len(tensors),
                    tensors=list(tensors.values()),
                )
        except tf.errors.OpError as error:
            raise BionerError(
                f"{path}: expected to write a checkpoint, got: {_first_line(error)}; the one "
                "before is kept, the same command goes on from there"
            ) from None

    def restore(self, epoch: int) -> None:
        """Restores the state after ``epoch`` epochs; changes nothing if it raises an error.

        Raises:
            DamagedCheckpointError: It is missing or damaged.
            BionerError: It is of another model, or it cannot be read.
            OSError: It cannot be opened.
        """
        path = self._path(epoch)
        try:
            for name in (f"{_PREFIX}.index", f"{_PREFIX}.data-00000-of-00001"):
                # TensorFlow raises the same errors for a damaged file and one that we may not read.
                with open(path / name, "rb") as stream:
                    stream.read(1)
            values = self._read(path)
        except (FileNotFoundError, tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
            raise DamagedCheckpointError(
                f"{path}: expected a whole checkpoint, but it is missing or damaged: "
                f"{_first_line(error)}"
            ) from None
        except (tf.errors.OpError, MemoryError) as error:
            raise BionerError(
                f"{path}: cannot be read: {_first_line(error)}; nothing was changed: mend that and "
                "give the same command again"
            ) from None
        for variable, value in zip(self._variables.values(), values):
            variable.assign(value)

    def _read(self, path: Path) -> list[tf.Tensor]:
        """Reads the value of each variable."""
        variables, problem = self._variables.values(), ""
        for names in (list(self._variables), self._names_before()):
            try:
                with tf.device("CPU"):
                    values = tf.raw_ops.RestoreV2(
                        prefix=str(path / _PREFIX),
                        tensor_names=names,
                        shape_and_slices=[""] * len(names),
                        dtypes=[variable.dtype for variable in variables],
                    )
            except tf.errors.NotFoundError as error:
                problem = problem or _first_line(error)
                continue
            for name, variable, value in zip(self._variables, variables, values):
                if variable.shape != value.shape:
                    problem = f"{name} has the shape {value.shape}, not {variable.shape}"
                    break
            else:
                return values
        raise BionerError(
            f"{path}: expected a checkpoint of this run, got one of another model; if corpora "
            f"or vectors have changed since, take another --run_dir: {problem}"
        )

    def _names_before(self) -> list[str]:
        """Returns the names in older checkpoints, which did not name variables by their parts."""
        return [f"{self._old_names.get(n, n)}/.ATTRIBUTES/VARIABLE_VALUE" for n in self._variables]

    def restore_newest(self, set_aside: bool = True) -> int | None:
        """Restores the newest complete checkpoint.

        Args:
            set_aside: Rename damaged checkpoints and log a warning; otherwise skip them.

        Returns:
            Its epoch; None if there is none.

        Raises:
            BionerError: The checkpoints are of another model.
        """
        for epoch in reversed(self.epochs()):
            try:
                self.restore(epoch)
            except DamagedCheckpointError as error:
                if not set_aside:
                    continue
                aside = self._set_aside(epoch)
                _LOG.warning("%s; set aside as %s, going back to the one before", error, aside.name)
            else:
                return epoch
        return None

    def keep_only(self, epochs: Iterable[int]) -> None:
        """Removes all checkpoints except those of ``epochs``."""
        for epoch in set(self.epochs()) - set(epochs):
            remove_directory(self._path(epoch))

    def _set_aside(self, epoch: int) -> Path:
        path = self._path(epoch)
        aside = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(path, aside)
        return aside

    def _path(self, epoch: int) -> Path:
        return self._directory / _NAME.format(epoch)


def _first_line(error: Exception) -> str:
    """Returns the first line of an error, without the names of TensorFlow's functions."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"^\{\{.*?\}\} | \[Op:\w+\]$", "", first)
