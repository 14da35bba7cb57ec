"""Several LSTMs run side by side over the same steps, with a hand-written gradient.

TensorFlow's own LSTM differentiates its loop op by op: every step of the backward loop then holds a
small matmul for the weights' gradient. Here the loops hold only what depends on the step before: one
batched matmul and the gates' arithmetic. Everything else (input projection, derivative factors,
the weights' gradient) is done before or after the loop for all steps at once.

Equal to ``keras.layers.LSTM`` (gate order input, forget, cell, output; sigmoid and tanh), in values
and gradients, for the same weights.
"""

from __future__ import annotations

import tensorflow as tf


def run_lstms(projected: tf.Tensor, recurrent_kernels: tf.Tensor) -> tf.Tensor:
    """Runs ``n`` independent LSTMs from zero states and returns all their hidden states.

    Differentiable by a custom gradient with respect to both arguments.

    Args:
        projected: float (time, n, batch, 4 * units), inputs times input kernels plus biases.
        recurrent_kernels: float (n, units, 4 * units).

    Returns:
        float (time, n, batch, units), the hidden state after every step. ``time`` may be 1 or more.

    Source: paper, "Bi-directional long short-term memory", the six equations of the LSTM cell.
    """

    @tf.custom_gradient
    def run(projected, recurrent_kernels):
        hidden, cells, gates = _forward(projected, recurrent_kernels)

        def gradient(hidden_gradient):
            return _backward(hidden_gradient, hidden, cells, gates, recurrent_kernels)

        return hidden, gradient

    return run(projected, recurrent_kernels)


def _forward(projected, recurrent_kernels):
    """The recurrence itself; also returns what the gradient needs: cell states and gates."""
    steps = tf.shape(projected)[0]
    inputs = tf.TensorArray(projected.dtype, size=steps).unstack(projected)
    hidden = tf.TensorArray(projected.dtype, size=steps)
    cells = tf.TensorArray(projected.dtype, size=steps)
    gates = tf.TensorArray(projected.dtype, size=steps)

    def step(t, h, c, hidden, cells, gates):
        # (n, batch, 4 * units)
        sums = inputs.read(t) + tf.matmul(h, recurrent_kernels)
        i, f, g, o = tf.split(sums, 4, axis=-1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        return (
            t + 1,
            h,
            c,
            hidden.write(t, h),
            cells.write(t, c),
            gates.write(t, tf.concat([i, f, g, o], axis=-1)),
        )

    zeros = tf.zeros_like(projected[0, :, :, : projected.shape[-1] // 4])
    _, _, _, hidden, cells, gates = tf.while_loop(
        lambda t, *_: t < steps,
        step,
        (0, zeros, zeros, hidden, cells, gates),
        parallel_iterations=1,
    )
    return hidden.stack(), cells.stack(), gates.stack()


def _backward(hidden_gradient, hidden, cells, gates, recurrent_kernels):
    """Back-propagation through time: the loop carries dh and dc, all else stays outside."""
    i, f, g, o = tf.split(gates, 4, axis=-1)
    tanh_c = tf.tanh(cells)
    before = tf.zeros_like(cells[:1])
    previous_cells = tf.concat([before, cells[:-1]], axis=0)
    previous_hidden = tf.concat([before, hidden[:-1]], axis=0)
    # What dc and dh are multiplied with to give the gradient before each non-linearity.
    by_cell = tf.concat([g * i * (1 - i), previous_cells * f * (1 - f), i * (1 - g * g)], axis=-1)
    by_hidden = tanh_c * o * (1 - o)
    hidden_to_cell = o * (1 - tanh_c * tanh_c)

    # A matmul by the transpose itself is faster than one that transposes at every step.
    kernels_transposed = tf.transpose(recurrent_kernels, (0, 2, 1))

    steps = tf.shape(hidden)[0]
    arrays = [
        tf.TensorArray(hidden.dtype, size=steps).unstack(x)
        for x in (hidden_gradient, by_cell, by_hidden, hidden_to_cell, f)
    ]
    sums_gradient = tf.TensorArray(hidden.dtype, size=steps)

    def step(t, dh, dc, sums_gradient):
        upstream, by_cell, by_hidden, hidden_to_cell, f = (a.read(t) for a in arrays)
        dh = dh + upstream
        dc = dc + dh * hidden_to_cell
        # (n, batch, 4 * units)
        dsums = tf.concat([tf.tile(dc, (1, 1, 3)) * by_cell, dh * by_hidden], axis=-1)
        dh = tf.matmul(dsums, kernels_transposed)
        return t - 1, dh, dc * f, sums_gradient.write(t, dsums)

    zeros = tf.zeros_like(hidden[0])
    _, _, _, sums_gradient = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (steps - 1, zeros, zeros, sums_gradient),
        parallel_iterations=1,
    )
    sums_gradient = sums_gradient.stack()
    # One matmul over all steps and sentences: (n, units, time * batch) x (n, time * batch, 4 units).
    kernel_gradient = tf.einsum("tnbu,tnbg->nug", previous_hidden, sums_gradient)
    return sums_gradient, kernel_gradient
