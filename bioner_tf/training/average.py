"""A moving average of the weights over the turns of training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import tensorflow as tf


class WeightAverage:
    """A weighted mean of the weights at the ends of all turns; recent turns count most.

    After T turns it is sum_t decay^(T - t) w_t / sum_t decay^(T - t), t = 1 ... T. The sum is
    stored. In the table that is updated row by row, the sum of a row is updated just before the
    row changes, so that a turn costs only the used rows.

    Args:
        variables: The weights.
        decay: Weight of a turn's weights relative to those of the turn after it, in (0, 1).
        updates: int64 scalar variable, the updates so far.
        turn_updates: Updates in a turn.
        row_wise: The one among the variables that is updated row by row, if any.
        last_updates: int64 (rows,), the number of each row's last update, from 1; 0 for none.

    Source: Polyak and Juditsky (1992); the paper has no average.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        decay: float,
        updates: tf.Variable,
        turn_updates: int,
        row_wise: tf.Variable | None = None,
        last_updates: tf.Variable | None = None,
    ):
        self._variables = list(variables)
        self._sums = [
            tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False, name="average_sum")
            for v in variables
        ]
        self._decay = decay
        self._updates = updates
        self._turn_updates = turn_updates
        self._last_updates = last_updates
        self._row_wise = next((n for n, v in enumerate(variables) if v is row_wise), None)

    def before_rows_change(self, rows: tf.Tensor) -> None:
        """Adds the turns that ended since ``rows`` of the table changed last.

        Args:
            rows: int (n,), distinct.
        """
        total, table = self._sums[self._row_wise], self._variables[self._row_wise]
        decayed, added = self._factors(tf.gather(self._last_updates, rows))
        brought = decayed * tf.gather(total, rows) + added * tf.gather(table, rows)
        total.scatter_update(tf.IndexedSlices(brought, rows))

    def end_turn(self) -> None:
        """Adds the current weights, except the table's; must run in a replica context."""
        tf.distribute.get_replica_context().merge_call(self._add_turn)

    def _add_turn(self, strategy: tf.distribute.Strategy) -> None:
        for number, (total, variable) in enumerate(zip(self._sums, self._variables)):
            if number != self._row_wise:
                strategy.extended.update(total, self._add, args=(variable,))

    def _add(self, total: tf.Variable, value: tf.Tensor) -> tf.Tensor:
        return total.assign(self._decay * total + (1 - self._decay) * value)

    def _factors(self, last_updates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the factors of the rows' sums and values at the last turn: float32 (n, 1)."""
        # The sum of a row holds the turns before the one of its last update.
        held = tf.maximum(last_updates - 1, 0) // self._turn_updates
        turns = tf.cast(self._updates // self._turn_updates - held, tf.float32)
        decayed = tf.pow(self._decay, turns)[:, None]
        return decayed, 1 - decayed

    def values(self) -> list[tf.Tensor]:
        """Returns the averages after the last whole turn, one for each variable, in order.

        Without any turn these are the variables' values.
        """
        turns = tf.cast(self._updates // self._turn_updates, tf.float32)
        if not turns:
            return [tf.convert_to_tensor(variable) for variable in self._variables]
        averages = []
        for number, (total, variable) in enumerate(zip(self._sums, self._variables)):
            value = tf.convert_to_tensor(total)
            if number == self._row_wise:
                decayed, added = self._factors(tf.convert_to_tensor(self._last_updates))
                value = decayed * value + added * variable
            averages.append(value / (1 - tf.pow(self._decay, turns)))
        return averages

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Replaces the weights by their averages until the block ends."""
        trained = [variable.numpy() for variable in self._variables]
        self._assign(self.values())
        try:
            yield
        finally:
            self._assign(trained)

    def _assign(self, values: Sequence[tf.Tensor]) -> None:
        for variable, value in zip(self._variables, values):
            variable.assign(value)

    def named_state(self, names: Sequence[str]) -> dict[str, tf.Variable]:
        """Returns what a checkpoint needs, by name; ``names`` are those of the variables."""
        return {f"average_sum.{name}": total for name, total in zip(names, self._sums)}
