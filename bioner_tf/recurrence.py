"""An LSTM over all steps of a batch, in either direction, with a hand-written gradient.

TensorFlow's own LSTM differentiates its loop op by op: every step of the backward loop then holds
a small matmul for the weights' gradient. Here the loops hold only what depends on the step before:
one matmul, and the gates' arithmetic while its numbers are still in the processor's cache. All that
does not is done for all steps at once: the input projection before the loop, the weights' gradients
after it.

Nothing is turned round for the direction from the last token to the first: its loop counts down.
The padding that it meets first leaves the state at zero, for there all gates that let something in
or out are shut.

Equal to ``keras.layers.LSTM`` (gate order input, forget, cell, output; sigmoid and tanh), in values
and gradients, for the same weights.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import tensorflow as tf

# The order in which LSTMBlockCellGrad has the gates, told in Keras's: input, cell, forget, output.
# Its own inverse.
_BLOCK_ORDER = (0, 2, 1, 3)
# The sigmoid of this and less is exactly 0.
_SHUT = -1e9


def to_steps(features: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Turns a padded batch into what ``run_lstm`` takes; one serves all LSTMs over these features.

    Args:
        features: float32 (batch, time, width).
        lengths: int32 (batch,), real tokens; the rest is padding.

    Returns:
        float32 (time, batch, width + 2): the features, 1 (the bias's factor), and 1 on padding.
    """
    # (time, batch, width)
    features = tf.transpose(features, (1, 0, 2))
    padding = tf.range(tf.shape(features)[0])[:, None] >= lengths
    constants = [tf.ones_like(padding, features.dtype), tf.cast(padding, features.dtype)]
    return tf.concat([features, tf.stack(constants, axis=-1)], axis=-1)


def run_lstm(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    training: bool,
    backward: bool = False,
    precision: tf.DType = tf.float32,
) -> tf.Tensor:
    """Runs an LSTM from zero states and returns all its hidden states.

    Args:
        inputs: float32 (time, batch, width + 2), from ``to_steps``. ``time`` may be 1 or more.
        kernel: float32 (width, 4 * units).
        recurrent_kernel: float32 (units, 4 * units).
        bias: float32 (4 * units,).
        training: Whether to keep what the fast gradient needs. Otherwise the gradient is
            TensorFlow's own, and slow.
        backward: Whether to go from the last token to the first.
        precision: What matmuls take and give: tf.float32 or tf.bfloat16. Inside a matmul products
            are summed in float32; all between matmuls (gates, cell states) is float32, too.

    Returns:
        float32 (time, batch, units), the hidden state behind every step; 0 on padding.

    Source: paper, "Bi-directional long short-term memory", the six equations of the LSTM cell.
    """
    units = recurrent_kernel.shape[0]
    # On padding nothing comes in, and nothing goes out. (4 * units,)
    shut = tf.repeat(tf.constant([_SHUT, 0.0, 0.0, _SHUT], kernel.dtype), units)
    weights = tf.concat([kernel, bias[None], shut[None]], 0)
    course = _BACKWARD if backward else _FORWARD
    if not training:
        # As tensors: of variables, the function would get handles and read them itself.
        recurrent_kernel = tf.convert_to_tensor(recurrent_kernel)
        infer = _inference(inputs.shape[-1], units, course, precision)
        return infer(inputs, weights, recurrent_kernel)

    @tf.custom_gradient
    def run(inputs, weights, recurrent_kernel):
        states, saved = _run_steps(inputs, weights, recurrent_kernel, course, precision)

        def gradient(hidden_gradient):
            return _back_propagate(
                hidden_gradient, inputs, states, saved, weights, recurrent_kernel, course, precision
            )

        return course.behind_steps(states), gradient

    return run(inputs, weights, recurrent_kernel)


class _Course(NamedTuple):
    """A direction: there is a slot for the state at either end of every step.

    Attributes:
        before: Step t takes the state in slot t + before ...
        behind: ... to slot t + behind.
    """

    before: int
    behind: int

    @property
    def stride(self) -> int:
        """From a step to the one after it."""
        return self.behind - self.before

    def first(self, steps: tf.Tensor) -> tf.Tensor:
        """The step that comes first of ``steps``."""
        return self.before * (steps - 1)

    def last(self, steps: tf.Tensor) -> tf.Tensor:
        """The step that comes last of ``steps``."""
        return self.behind * (steps - 1)

    def before_steps(self, states: tf.Tensor) -> tf.Tensor:
        """The states before all steps, (time, ...), of those in all slots, (time + 1, ...)."""
        return states[1:] if self.before else states[:-1]

    def behind_steps(self, states: tf.Tensor) -> tf.Tensor:
        """The states behind all steps."""
        return states[1:] if self.behind else states[:-1]


_FORWARD, _BACKWARD = _Course(before=0, behind=1), _Course(before=1, behind=0)


@functools.cache
def _inference(width, units, course, precision):
    """The recurrence alone, for LSTMs of one size and direction.

    A function by itself, so that a saved graph holds it once, however many LSTMs it runs.
    """
    shapes = ((None, None, width), (width, 4 * units), (units, 4 * units))
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    infer = functools.partial(_infer, course=course, precision=precision)
    return tf.function(infer, input_signature=signature)


def _infer(inputs, weights, recurrent_kernel, course, precision):
    projected = _project(inputs, weights, precision)
    multiplier = tf.cast(recurrent_kernel, precision)
    steps, batch, _ = tf.unstack(tf.shape(inputs))
    hidden = tf.TensorArray(inputs.dtype, steps, element_shape=(None, recurrent_kernel.shape[0]))

    def step(t, h, c, hidden):
        h, c, _ = _cell(_row(projected, t), h, c, multiplier)
        return t + course.stride, h, c, hidden.write(t, h)

    zeros = tf.zeros((batch, recurrent_kernel.shape[0]), inputs.dtype)
    *_, hidden = tf.while_loop(
        lambda t, *_: _is_step(t, steps),
        step,
        (course.first(steps), zeros, zeros, hidden),
        parallel_iterations=1,
    )
    return hidden.stack()


def _run_steps(inputs, weights, recurrent_kernel, course, precision):
    """The recurrence, keeping all that the gradient needs.

    Returns:
        The hidden states in all slots (time + 1, batch, units), and TensorArrays, each
        (batch, units) a step: the cell states (time + 1 of them, too), the four gates in Keras's
        order, and the cell states' tanh.
    """
    projected = _project(inputs, weights, precision)
    multiplier = tf.cast(recurrent_kernel, precision)
    steps, batch, _ = tf.unstack(tf.shape(inputs))
    units = recurrent_kernel.shape[0]
    zeros = tf.zeros((batch, units), inputs.dtype)
    array = lambda size: tf.TensorArray(inputs.dtype, size, element_shape=(None, units))  # noqa: E731
    first = course.first(steps)
    hidden, cells = (array(steps + 1).write(first + course.before, zeros) for _ in range(2))

    def step(t, h, c, hidden, cells, rest):
        h, c, values = _cell(_row(projected, t), h, c, multiplier)
        slot = t + course.behind
        rest = [values_so_far.write(t, value) for values_so_far, value in zip(rest, values)]
        return t + course.stride, h, c, hidden.write(slot, h), cells.write(slot, c), rest

    *_, hidden, cells, rest = tf.while_loop(
        lambda t, *_: _is_step(t, steps),
        step,
        (first, zeros, zeros, hidden, cells, [array(steps) for _ in range(5)]),
        parallel_iterations=1,
    )
    return hidden.stack(), (cells, *rest)


def _back_propagate(
    hidden_gradient, inputs, states, saved, weights, recurrent_kernel, course, precision
):
    """Back-propagation through time: the gradients of inputs, weights and recurrent kernel."""
    cells, i, f, g, o, tanh_c = saved
    steps, batch, width = tf.unstack(tf.shape(inputs))
    units = recurrent_kernel.shape[0]
    zeros = tf.zeros((batch, units), inputs.dtype)
    # What the op below wants beside the states: peepholes, which are off, and shapes.
    no_peephole, bias = tf.zeros((units,), inputs.dtype), tf.zeros((4 * units,), inputs.dtype)
    no_input = tf.zeros((batch, 0), inputs.dtype)
    # A matmul by the transpose itself is faster than one that transposes at every step.
    gates = _in_block_order(tf.cast(recurrent_kernel, precision))
    transposed = tf.concat([tf.transpose(gate) for gate in gates], 0)

    def step(t, dh, dc, c, sums_gradient):
        before = cells.read(t + course.before)
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
        return t - course.stride, dh, dc, before, sums_gradient.write(t, dsums)

    last = course.last(steps)
    *_, sums_gradient = tf.while_loop(
        lambda t, *_: _is_step(t, steps),
        step,
        (last, zeros, zeros, cells.read(last + course.behind), tf.TensorArray(precision, steps)),
        parallel_iterations=1,
    )
    # (time * batch, 4 * units)
    sums_gradient = tf.reshape(sums_gradient.stack(), (steps * batch, 4 * units))
    reordered = tf.concat(_in_block_order(tf.cast(weights, precision)), 1)
    inputs_gradient = tf.matmul(sums_gradient, reordered, transpose_b=True)
    factors = tf.reshape(inputs, (steps * batch, width))
    weights_gradient = _factor_gradient(factors, sums_gradient)
    factors = tf.reshape(course.before_steps(states), (steps * batch, units))
    recurrent_gradient = _factor_gradient(factors, sums_gradient)
    return (
        tf.reshape(tf.cast(inputs_gradient, inputs.dtype), (steps, batch, width)),
        weights_gradient,
        recurrent_gradient,
    )


def _factor_gradient(factors, sums_gradient):
    """The gradient of weights, in Keras's order, that ``factors`` were multiplied with."""
    gradient = tf.matmul(tf.cast(factors, sums_gradient.dtype), sums_gradient, transpose_a=True)
    return tf.cast(tf.concat(_in_block_order(gradient), 1), factors.dtype)


def _project(inputs, weights, precision):
    """Returns the inputs' part of the sums of all steps: (time, batch, 4 * units)."""
    steps, batch, width = tf.unstack(tf.shape(inputs))
    rows = tf.reshape(tf.cast(inputs, precision), (steps * batch, width))
    projected = tf.matmul(rows, tf.cast(weights, precision))
    return tf.reshape(projected, (steps, batch, weights.shape[-1]))


def _is_step(t, steps):
    return (t >= 0) & (t < steps)


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
