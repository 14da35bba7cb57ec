"""Checkpoints: they hold the whole state, are complete or absent, and may be damaged."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.errors import BionerError
from bioner_tf.training.checkpoints import CheckpointStore, DamagedCheckpointError
from bioner_tf.training.optimizer import RMSprop


class State:
    """Two variables, one of which is updated row by row, and their optimizer."""

    def __init__(self, directory, width=2):
        self.table = tf.Variable(tf.zeros((50, width)))
        self.vector = tf.Variable(tf.zeros(3))
        self.updates = tf.Variable(0, dtype=tf.int64)
        self.optimizer = RMSprop(0.1, 0.9, self.updates)
        self.optimizer.build([self.table, self.vector], row_wise=self.table)
        self.store = CheckpointStore(
            directory,
            {"table": self.table, "vector": self.vector},
            self.updates,
            self.optimizer,
        )

    def step(self):
        """An update that depends on the number of updates before it."""
        count = float(self.updates)
        rows = [int(count) % 4, 4]
        values = tf.IndexedSlices(tf.constant([[1.0, count], [2.0, 3.0]]), rows, (50, 2))
        gradients = [values, tf.constant([count, 1.0, 2.0])]
        self.optimizer.apply_gradients(zip(gradients, [self.table, self.vector]))

    def values(self):
        """Returns the whole state."""
        variables = [self.table, self.vector, self.updates, *self.optimizer.variables]
        return [variable.numpy() for variable in variables]


def assert_same(actual, expected):
    for a, b in zip(actual, expected):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A directory of three checkpoints and, by epoch, the state in each; two steps an epoch."""
    directory = tmp_path_factory.mktemp("checkpoints")
    state = State(directory)
    states = {0: state.values()}
    for epoch in (1, 2, 3):
        state.step()
        state.step()
        state.store.save(epoch)
        states[epoch] = state.values()
    return directory, states


@pytest.fixture
def trained(original, tmp_path):
    """The states, with the checkpoints in ``tmp_path``."""
    shutil.copytree(original[0], tmp_path, dirs_exist_ok=True)
    return original[1]


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_restored_state_goes_on_as_if_never_interrupted(tmp_path, trained):
    state = State(tmp_path)
    assert_same(state.values(), trained[0])
    state.store.restore(2)
    assert_same(state.values(), trained[2])
    state.step()
    state.step()
    assert_same(state.values(), trained[3])


def test_the_newest_is_restored_by_number(tmp_path, trained):
    shutil.copytree(tmp_path / "epoch-0001", tmp_path / "epoch-10000")
    (tmp_path / ".partial-epoch-20000").mkdir()
    state = State(tmp_path)
    assert state.store.epochs() == [1, 2, 3, 10000]
    assert state.store.restore_newest() == 10000
    assert_same(state.values(), trained[1])


def test_nothing_to_restore(tmp_path):
    state = State(tmp_path / "none")
    before = state.values()
    assert state.store.epochs() == []
    assert state.store.restore_newest() is None
    assert_same(state.values(), before)


def test_saving_again_replaces(tmp_path, trained):
    state = State(tmp_path)
    state.step()
    state.store.save(3)
    expected = state.values()
    other = State(tmp_path)
    other.store.restore(3)
    assert_same(other.values(), expected)
    assert names(tmp_path) == ["epoch-0001", "epoch-0002", "epoch-0003"]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(28, "No space left on device"), OSError),
        (tf.errors.ResourceExhaustedError(None, None, "No space left on device"), BionerError),
    ],
    ids=["Python", "TensorFlow"],
)
def test_a_failed_save_leaves_nothing(tmp_path, trained, monkeypatch, raised, expected):
    def fail(**kwargs):
        (tmp_path / ".partial-epoch-0004" / "state.index").write_text("half")
        raise raised

    monkeypatch.setattr(tf.raw_ops, "SaveV2", fail)
    with pytest.raises(expected, match="No space left on device"):
        State(tmp_path).store.save(4)
    assert names(tmp_path) == ["epoch-0001", "epoch-0002", "epoch-0003"]


def test_only_what_is_asked_for_is_kept(tmp_path, trained):
    store = State(tmp_path).store
    store.keep_only([3, 1, 7])
    assert names(tmp_path) == ["epoch-0001", "epoch-0003"]


DATA, INDEX = "state.data-00000-of-00001", "state.index"


def truncate(name, share):
    def damage(directory):
        content = (directory / name).read_bytes()
        (directory / name).write_bytes(content[: int(share * len(content))])

    return damage


def flip(name, share):
    def damage(directory):
        content = bytearray((directory / name).read_bytes())
        content[int(share * len(content))] ^= 1
        (directory / name).write_bytes(content)

    return damage


def empty(directory):
    for path in directory.iterdir():
        path.unlink()


DAMAGES = {
    "empty directory": empty,
    "no index": lambda directory: (directory / INDEX).unlink(),
    "no data": lambda directory: (directory / DATA).unlink(),
    "empty data": truncate(DATA, 0),
    "half of the data": truncate(DATA, 0.5),
    "almost all data": truncate(DATA, 0.99),
    "a flipped bit in the first number": flip(DATA, 0),
    "a flipped bit in the middle": flip(DATA, 0.5),
    "empty index": truncate(INDEX, 0),
    "half of the index": truncate(INDEX, 0.5),
    "a flipped bit in the index": flip(INDEX, 0.3),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_newest_falls_back_and_says_so(tmp_path, trained, caplog, damage):
    damage(tmp_path / "epoch-0003")
    state = State(tmp_path)
    with pytest.raises(DamagedCheckpointError):
        state.store.restore(3)
    assert_same(state.values(), trained[0])
    with caplog.at_level(logging.WARNING):
        assert state.store.restore_newest() == 2
    assert_same(state.values(), trained[2])
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith(f"{tmp_path}/epoch-0003: expected a whole checkpoint")
    assert message.endswith("set aside as damaged-epoch-0003, going back to the one before")
    assert "\n" not in message
    assert names(tmp_path) == ["damaged-epoch-0003", "epoch-0001", "epoch-0002"]
    # Nobody falls into it twice, and the epoch can be saved anew.
    assert state.store.epochs() == [1, 2]
    state.store.save(3)
    assert state.store.restore_newest() == 3


def test_where_all_are_damaged_nothing_is_restored(tmp_path, trained):
    for epoch in (1, 2, 3):
        flip(DATA, 0.7)(tmp_path / f"epoch-000{epoch}")
    state = State(tmp_path)
    assert state.store.restore_newest() is None
    assert_same(state.values(), trained[0])
    # A second time, the places are taken.
    state.store.save(3)
    empty(tmp_path / "epoch-0003")
    assert state.store.restore_newest() is None
    assert names(tmp_path) == [f"damaged-epoch-000{epoch}" for epoch in (1, 2, 3)]


def test_another_model_is_refused_and_nothing_is_lost(tmp_path, trained):
    before = names(tmp_path)
    with pytest.raises(BionerError, match="epoch-0003: expected a checkpoint of this run") as error:
        State(tmp_path, width=3).store.restore_newest()
    assert not isinstance(error.value, DamagedCheckpointError)
    assert "\n" not in str(error.value)
    weights = {"table": tf.Variable(tf.zeros((50, 2))), "more": tf.Variable(0.0)}
    with pytest.raises(BionerError, match=r"got one of another model.* more not found") as error:
        CheckpointStore(tmp_path, weights, tf.Variable(0, dtype=tf.int64)).restore_newest()
    assert not isinstance(error.value, DamagedCheckpointError)
    assert names(tmp_path) == before


@pytest.mark.parametrize("name", [DATA, INDEX])
@pytest.mark.parametrize("problem", ["an I/O error", "a directory"])
def test_what_cannot_be_read_is_not_taken_for_damaged(tmp_path, trained, name, problem):
    path = tmp_path / "epoch-0003" / name
    path.unlink()
    # Reading a process's first page is an I/O error, for root as well.
    path.mkdir() if problem == "a directory" else path.symlink_to("/proc/self/mem")
    before = names(tmp_path)
    state = State(tmp_path)
    with pytest.raises(OSError, match=r"Input/output error|Is a directory"):
        state.store.restore_newest()
    assert_same(state.values(), trained[0])
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"),
        tf.errors.UnknownError(None, None, "Input/output error"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_reading_changes_nothing(tmp_path, trained, monkeypatch, error):
    def fail(**kwargs):
        raise error

    monkeypatch.setattr(tf.raw_ops, "RestoreV2", fail)
    with pytest.raises(BionerError, match="epoch-0003: cannot be read: ") as raised:
        State(tmp_path).store.restore_newest()
    assert not isinstance(raised.value, DamagedCheckpointError)
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == ["epoch-0001", "epoch-0002", "epoch-0003"]


def test_weights_alone_can_be_restored(tmp_path, trained):
    table, vector = tf.Variable(tf.ones((50, 2))), tf.Variable(tf.ones(3))
    weights = {"table": table, "vector": vector}
    CheckpointStore(tmp_path, weights, tf.Variable(0, dtype=tf.int64)).restore(3)
    assert_same([table, vector], trained[3])
