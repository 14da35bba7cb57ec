"""An LSTM over all steps of a batch, with a hand-written gradient.

TensorFlow's own LSTM differentiates its loop op by op: every step of the backward loop then holds
a small matmul for the weights' gradient. Here the loops hold only what depends on the step before:
one matmul, and the gates' arithmetic while its numbers are still in the processor's cache. All that
does not is done for all steps at once: the input projection before the loop, the weights' gradients
after it.

Equal to ``keras.layers.LSTM`` (gate order input, forget, cell, output; sigmoid and tanh), in values
and gradients, for the same weights.
"""

from __future__ import annotations

import tensorflow as tf

# The order in which LSTMBlockCellGrad has the gates, told in Keras's: input, cell, forget, output.
# Its own inverse.
_BLOCK_ORDER = (0, 2, 1, 3)


def run_lstm(
    features: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    training: bool,
    precision: tf.DType = tf.float32,
) -> tf.Tensor:
    """Runs an LSTM from zero states and returns all its hidden states.

    Args:
        features: float32 (time, batch, width). ``time`` may be 1 or more.
        kernel: float32 (width, 4 * units).
        recurrent_kernel: float32 (units, 4 * units).
        bias: float32 (4 * units,).
        training: Whether to keep what the fast gradient needs. Otherwise the gradient is
            TensorFlow's own, and slow.
        precision: What matmuls take and give: tf.float32 or tf.bfloat16. Inside a matmul products
            are summed in float32; all between matmuls (gates, cell states) is float32, too.

    Returns:
        float32 (time, batch, units), the hidden state after every step.

    Source: paper, "Bi-directional long short-term memory", the six equations of the LSTM cell.
    """
    if not training:
        return _infer(features, kernel, recurrent_kernel, bias, precision)

    @tf.custom_gradient
    def run(features, kernel, recurrent_kernel, bias):
        hidden, saved = _forward(features, kernel, recurrent_kernel, bias, precision)

        def gradient(hidden_gradient):
            return _backward(
                hidden_gradient, features, hidden, saved, kernel, recurrent_kernel, precision
            )

        return hidden[1:], gradient

    return run(features, kernel, recurrent_kernel, bias)


def _infer(features, kernel, recurrent_kernel, bias, precision):
    """The recurrence alone."""
    projected = _project(features, kernel, bias, precision)
    multiplier = tf.cast(recurrent_kernel, precision)
    steps, batch, _ = tf.unstack(tf.shape(features))
    hidden = tf.TensorArray(features.dtype, steps, element_shape=(None, recurrent_kernel.shape[0]))

    def step(t, h, c, hidden):
        h, c, _ = _cell(_row(projected, t), h, c, multiplier)
        return t + 1, h, c, hidden.write(t, h)

    zeros = tf.zeros((batch, recurrent_kernel.shape[0]), features.dtype)
    *_, hidden = tf.while_loop(
        lambda t, *_: t < steps,
        step,
        (tf.constant(0), zeros, zeros, hidden),
        parallel_iterations=1,
    )
    return hidden.stack()


def _forward(features, kernel, recurrent_kernel, bias, precision):
    """The recurrence, keeping all that the gradient needs.

    Returns:
        The hidden states (time + 1, batch, units), the zeros before the first step included, and
        TensorArrays, each (batch, units) a step: the cell states (time + 1 of them, too), the four
        gates in Keras's order, and the cell states' tanh.
    """
    projected = _project(features, kernel, bias, precision)
    multiplier = tf.cast(recurrent_kernel, precision)
    steps, batch, _ = tf.unstack(tf.shape(features))
    units = recurrent_kernel.shape[0]
    zeros = tf.zeros((batch, units), features.dtype)
    array = lambda size: tf.TensorArray(features.dtype, size, element_shape=(None, units))  # noqa: E731
    hidden, cells = array(steps + 1).write(0, zeros), array(steps + 1).write(0, zeros)

    def step(t, h, c, hidden, cells, rest):
        h, c, values = _cell(_row(projected, t), h, c, multiplier)
        rest = [values_so_far.write(t, value) for values_so_far, value in zip(rest, values)]
        return t + 1, h, c, hidden.write(t + 1, h), cells.write(t + 1, c), rest

    *_, hidden, cells, rest = tf.while_loop(
        lambda t, *_: t < steps,
        step,
        (tf.constant(0), zeros, zeros, hidden, cells, [array(steps) for _ in range(5)]),
        parallel_iterations=1,
    )
    return hidden.stack(), (cells, *rest)


def _backward(hidden_gradient, features, hidden, saved, kernel, recurrent_kernel, precision):
    """Back-propagation through time, and the gradients of all four inputs of ``run_lstm``."""
    cells, i, f, g, o, tanh_c = saved
    steps, batch, _ = tf.unstack(tf.shape(features))
    units = recurrent_kernel.shape[0]
    zeros = tf.zeros((batch, units), features.dtype)
    # What the op below wants beside the states: peepholes, which are off, and shapes.
    no_peephole, bias = tf.zeros((units,), features.dtype), tf.zeros((4 * units,), features.dtype)
    no_input = tf.zeros((batch, 0), features.dtype)
    # A matmul by the transpose itself is faster than one that transposes at every step.
    gates = _in_block_order(tf.cast(recurrent_kernel, precision))
    transposed = tf.concat([tf.transpose(gate) for gate in gates], 0)

    def step(after, dh, dc, c, sums_gradient):
        t = after - 1
        before = cells.read(t)
        dc, dsums, *_ = tf.raw_ops.LSTMBlockCellGrad(
            x=no_input,
            cs_prev=before,
            h_prev=before,
            w=recurrent_kernel,
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=bias,
            i=i.read(t),
            cs=c,
            f=f.read(t),
            o=o.read(t),
            ci=g.read(t),
            co=tanh_c.read(t),
            cs_grad=dc,
            h_grad=dh + _row(hidden_gradient, t),
            use_peephole=False,
        )
        dsums = tf.cast(dsums, precision)
        dh = tf.cast(tf.matmul(dsums, transposed), dc.dtype)
        return t, dh, dc, before, sums_gradient.write(t, dsums)

    *_, sums_gradient = tf.while_loop(
        lambda after, *_: after > 0,
        step,
        (steps, zeros, zeros, cells.read(steps), tf.TensorArray(precision, steps)),
        parallel_iterations=1,
    )
    # (time * batch, 4 * units)
    sums_gradient = tf.reshape(sums_gradient.stack(), (steps * batch, 4 * units))
    reordered = tf.concat(_in_block_order(tf.cast(kernel, precision)), 1)
    features_gradient = tf.cast(
        tf.matmul(sums_gradient, reordered, transpose_b=True), features.dtype
    )
    # All that was multiplied with a weight, one after the other: (time, batch, width + 1 + units).
    width = features.shape[-1]
    ones = tf.ones((steps, batch, 1), features.dtype)
    factors = tf.concat([features, ones, hidden[:-1]], axis=-1)
    factors = tf.cast(tf.reshape(factors, (steps * batch, width + 1 + units)), precision)
    weights_gradient = tf.matmul(factors, sums_gradient, transpose_a=True)
    weights_gradient = tf.cast(tf.concat(_in_block_order(weights_gradient), 1), features.dtype)
    return (
        tf.reshape(features_gradient, (steps, batch, width)),
        weights_gradient[:width],
        weights_gradient[width + 1 :],
        weights_gradient[width],
    )


def _project(features, kernel, bias, precision):
    """Returns the inputs' part of the sums of all steps: (time, batch, 4 * units)."""
    steps, batch, _ = tf.unstack(tf.shape(features))
    rows = tf.reshape(tf.cast(features, precision), (steps * batch, features.shape[-1]))
    # Next to each other, TensorFlow makes one op of the two.
    projected = tf.matmul(rows, tf.cast(kernel, precision))
    projected = tf.nn.bias_add(projected, tf.cast(bias, precision))
    return tf.reshape(projected, (steps, batch, kernel.shape[-1]))


def _cell(projected, h, c, recurrent_kernel):
    """One step: the new h and c, and the gates and tanh(c), each (batch, units)."""
    recurrent = tf.matmul(tf.cast(h, recurrent_kernel.dtype), recurrent_kernel)
    sums = tf.cast(projected, h.dtype) + tf.cast(recurrent, h.dtype)
    i, f, g, o = tf.split(sums, 4, axis=-1)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    c = f * c + i * g
    tanh_c = tf.tanh(c)
    return o * tanh_c, c, (i, f, g, o, tanh_c)


def _row(steps, t):
    """``steps[t]`` with as few ops as can be: each costs as much as a gate's arithmetic."""
    return tf.strided_slice(steps, [t], [t + 1], [1], shrink_axis_mask=1)


def _in_block_order(weights):
    """The four gates' columns, each (rows, units), from Keras's order to the op's, and back."""
    gates = tf.split(weights, 4, axis=1)
    return [gates[number] for number in _BLOCK_ORDER]
