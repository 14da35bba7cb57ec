"""Training on more than one device, by ``tf.distribute``."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator

import tensorflow as tf

from bioner_tf.errors import BionerError

# How TensorFlow tells that another worker does not answer any more.
_LOST_WORKER = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)


@dataclasses.dataclass(frozen=True)
class Distribution:
    """How the turns of a run are spread over replicas.

    In step s of R replicas, replica r takes turn s R + r. So they take the same turns as one
    device, R at once.

    Attributes:
        strategy: The ``tf.distribute`` strategy; networks and trainer are built in its scope.
        is_chief: Whether this process is the one that writes.
    """

    strategy: tf.distribute.Strategy
    is_chief: bool

    @property
    def replicas(self) -> int:
        """Turns in a step."""
        return self.strategy.num_replicas_in_sync

    def dataset(
        self, build: Callable[[Callable[[], Iterator[int]]], tf.data.Dataset], first_step: int
    ) -> tf.data.Dataset:
        """Spreads a dataset of turns.

        Args:
            build: Makes the dataset of some turns; it gets a function that yields their numbers.
            first_step: The step to begin with.

        Returns:
            A dataset for ``fit``: each step has one turn per replica.
        """

        def build_for_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
            local = self.replicas // context.num_input_pipelines
            first = context.input_pipeline_id * local
            return build(lambda: self._numbers(first_step, first, local))

        return self.strategy.distribute_datasets_from_function(build_for_worker)

    def require_same_epoch(self, epoch: int) -> None:
        """Raises BionerError where other workers would go on after another epoch."""
        if self.replicas == 1:
            return

        def mean() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.constant(float(epoch)))

        found = self.strategy.experimental_local_results(self.strategy.run(tf.function(mean)))[0]
        if float(found) != epoch:
            raise BionerError(
                f"--run_dir: expected the same directory for every worker, got checkpoints of "
                f"{epoch} epochs here and of another number elsewhere; put the directory where all "
                "workers see it"
            )

    def _numbers(self, first_step: int, first: int, local: int) -> Iterator[int]:
        for step in itertools.count(first_step):
            yield from range(step * self.replicas + first, step * self.replicas + first + local)


@contextlib.contextmanager
def reported_loss_of_worker() -> Iterator[None]:
    """Turns TensorFlow's errors about a worker that is lost into a BionerError."""
    try:
        yield
    except _LOST_WORKER as error:
        reason = next(iter(error.message.splitlines()), "no reason given")
        raise BionerError(
            "--distribute: expected an answer of every worker, but one is lost; start all workers "
            f"again by the same command to go on after the newest checkpoint: {reason}"
        ) from error


@contextlib.contextmanager
def _reported_tf_config() -> Iterator[None]:
    """Turns errors about ``TF_CONFIG`` into a BionerError."""
    try:
        yield
    except (TypeError, ValueError, tf.errors.OpError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BionerError(
            'TF_CONFIG: expected JSON like {"cluster": {"worker": ["host:port", ...]}, "task": '
            f'{{"type": "worker", "index": 0}}}}, got {os.environ.get("TF_CONFIG")!r}: {reason}'
        ) from error


def is_chief(kind: str) -> bool:
    """Tells whether this process writes, before the others need to be there.

    It is the cluster's chief, or the first worker where there is no chief.
    """
    if kind != "multiworker":
        return True
    with _reported_tf_config():
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
        return resolver.task_type in (None, first) and resolver.task_id in (None, 0)


def require_deterministic_operations() -> None:
    """Makes TensorFlow use only deterministic operations where it sees a GPU.

    Call it before the first operation. Afterwards a stateful random operation needs a seed;
    ``TaggerBuilder`` sets one before it makes initial weights, and dropout is stateless.
    """
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()


def distribute(kind: str) -> Distribution:
    """Returns the distribution "none", "mirrored" or "multiworker" (set up by ``TF_CONFIG``)."""
    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Distribution(tf.distribute.MirroredStrategy([d.name for d in devices]), True)
    if kind == "multiworker":
        with _reported_tf_config():
            return Distribution(tf.distribute.MultiWorkerMirroredStrategy(), is_chief(kind))
    return Distribution(tf.distribute.get_strategy(), True)
