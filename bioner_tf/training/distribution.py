"""Training on more than one device, by ``tf.distribute``."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import tensorflow as tf


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

    def _numbers(self, first_step: int, first: int, local: int) -> Iterator[int]:
        for step in itertools.count(first_step):
            yield from range(step * self.replicas + first, step * self.replicas + first + local)


def is_chief(kind: str) -> bool:
    """Tells whether this process writes, before the others need to be there."""
    if kind != "multiworker":
        return True
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return resolver.task_type in (None, first) and resolver.task_id in (None, 0)


def distribute(kind: str) -> Distribution:
    """Returns the distribution "none", "mirrored" or "multiworker" (set up by ``TF_CONFIG``)."""
    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return Distribution(tf.distribute.MirroredStrategy([d.name for d in devices]), True)
    if kind == "multiworker":
        return Distribution(tf.distribute.MultiWorkerMirroredStrategy(), is_chief(kind))
    return Distribution(tf.distribute.get_strategy(), True)
