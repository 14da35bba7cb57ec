"""RMSprop and gradient clipping that touch only the used rows of the word table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import tensorflow as tf
from tensorflow import keras

from bioner_tf.training.average import WeightAverage

Gradient = Union[tf.Tensor, tf.IndexedSlices]


def clip_by_global_norm(
    gradients: Sequence[Gradient], clip_norm: float
) -> tuple[list[Gradient], tf.Tensor]:
    """Scales all gradients by one factor, so that their joint L2 norm is at most ``clip_norm``.

    ``tf.clip_by_global_norm`` counts a row that occurs twice as two rows. Here its occurrences are
    summed first, so that the norm is that of the gradient.

    Args:
        gradients: Dense or IndexedSlices.
        clip_norm: More than 0.

    Returns:
        The scaled gradients (IndexedSlices have each row once), and the unscaled norm, a scalar.

    Source: paper, "Training settings".
    """
    unique = [_sum_rows(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    norm = tf.linalg.global_norm([_values(g) for g in unique])
    scale = clip_norm / tf.maximum(norm, clip_norm)
    return [_scaled(g, scale) for g in unique], norm


def _values(gradient: Gradient) -> tf.Tensor:
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _sum_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    rows, positions = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, positions, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _scaled(gradient: Gradient, scale: tf.Tensor) -> Gradient:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
    return gradient * scale


class RMSprop(keras.optimizers.Optimizer):
    """RMSprop without momentum and not centred, exact also for rows that few steps touch.

    v <- rho v + (1 - rho) g^2, w <- w - learning_rate g / (sqrt(v) + epsilon). In the one table
    that is updated row by row, v of a row is decayed by rho^(steps since its last update) at its
    next update. The result equals that of the dense update, at the cost of the used rows.

    The optimizer stores v / (1 - rho). With this scale the rule is Adagrad's, after a decay of v.
    TensorFlow's Adagrad op passes over a variable twice; separate ops would need eight passes.

    Args:
        learning_rate: Step size.
        rho: Decay rate of the squared gradients, in [0, 1).
        updates: int64 scalar variable that counts the steps; ``iterations`` of this optimizer.
        epsilon: Added to the root.
        average_decay: Of the average of the weights (see ``WeightAverage``), in [0, 1); 0: none.
        turn_updates: Updates in a turn.

    Attributes:
        average: The average of the weights, None without one.

    Source: paper, "Training settings"; epsilon and its place are the authors' program's.
    """

    def __init__(
        self,
        learning_rate: float,
        rho: float,
        updates: tf.Variable,
        epsilon: float = 1e-8,
        average_decay: float = 0.0,
        turn_updates: int = 1,
        name: str = "rmsprop",
    ):
        # With its default of 0, Keras would apply a decay of 0 to every variable in each step.
        super().__init__(name=name, weight_decay=None, jit_compile=False)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.iterations = updates
        self.rho = rho
        self.epsilon = epsilon
        self.average: WeightAverage | None = None
        self._average_decay = average_decay
        self._turn_updates = turn_updates

    def build(self, var_list: Sequence[tf.Variable], row_wise: tf.Variable | None = None) -> None:
        """Creates the slots of all variables that a step may update.

        Args:
            var_list: The variables.
            row_wise: The variable to update row by row; its gradients are IndexedSlices, those of
                the others are made dense.
        """
        if getattr(self, "_built", False):
            return
        super().build(var_list)
        self._velocities = [self.add_variable_from_reference(v, "velocity") for v in var_list]
        self._row_wise = None
        self._last_updates = None
        if row_wise is not None:
            self._row_wise = self._var_key(row_wise)
            self._last_updates = self.add_variable(
                row_wise.shape[:1], dtype=tf.int64, initializer="zeros", name="last_updates"
            )
        if self._average_decay:
            self.average = WeightAverage(
                var_list,
                self._average_decay,
                self.iterations,
                self._turn_updates,
                row_wise,
                self._last_updates,
            )
        self._built = True

    def update_step(self, gradient: Gradient, variable: tf.Variable) -> None:
        """Updates one variable by its gradient."""
        velocity = self._velocities[self._index_dict[self._var_key(variable)]]
        # Rate and epsilon for the scaled velocity.
        scale = (1 - self.rho) ** -0.5
        rate = tf.cast(self.learning_rate, variable.dtype) * scale
        epsilon = tf.constant(self.epsilon * scale, variable.dtype)
        if self._var_key(variable) != self._row_wise:
            velocity.assign(self.rho * velocity)
            tf.raw_ops.ResourceApplyAdagradV2(
                var=variable.handle,
                accum=velocity.handle,
                lr=rate,
                epsilon=epsilon,
                grad=tf.convert_to_tensor(gradient),
            )
            return
        rows, values = gradient.indices, gradient.values
        if self.average is not None:
            self.average.before_rows_change(rows)
        step = self.iterations + 1
        age = tf.cast(step - tf.gather(self._last_updates, rows), variable.dtype)
        kept = tf.pow(tf.cast(self.rho, variable.dtype), age)[:, None] * tf.gather(velocity, rows)
        updated = kept + tf.square(values)
        velocity.scatter_update(tf.IndexedSlices(updated, rows))
        self._last_updates.scatter_update(tf.IndexedSlices(tf.fill(tf.shape(rows), step), rows))
        variable.scatter_sub(tf.IndexedSlices(rate * values / (tf.sqrt(updated) + epsilon), rows))

    def named_state(self, names: Sequence[str]) -> dict[str, tf.Variable]:
        """Returns what a checkpoint needs beside the weights and the count of updates, by name.

        Args:
            names: The names of the variables that ``build`` got, in the same order.
        """
        state = {f"velocity.{name}": v for name, v in zip(names, self._velocities)}
        state["learning_rate"] = self._learning_rate
        if self._row_wise is not None:
            state["last_updates"] = self._last_updates
        if self.average is not None:
            state.update(self.average.named_state(names))
        return state

    def get_config(self) -> dict[str, object]:
        """Returns the settings, as Keras wants them."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter(self._learning_rate),
            "rho": self.rho,
            "epsilon": self.epsilon,
            "average_decay": self._average_decay,
            "turn_updates": self._turn_updates,
        }
