"""LSTMs over the sentences of a batch, in either direction, with a hand-written gradient.

TensorFlow's own LSTM differentiates its loop op by op: every step of the backward loop then holds
a small matmul for the weights' gradient. Here the loops hold only the work that depends on the step
before: one matmul, and the gates' arithmetic while its numbers are still in the processor's cache.
All other work is done for all steps at once: the input projection before the loop, the weights'
gradients after it.

Padding is never computed. Sentences are sorted by length, the longest first, so that the sentences
with a token at step t are the first rows of those with a token at step t - 1: from step to step the
states lose rows, or get new rows of zeros. The backward direction reverses no tensor: its loop
counts down.

Equal to ``keras.layers.LSTM`` (gate order input, forget, cell, output; sigmoid and tanh), in values
and gradients, for the same weights.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import tensorflow as tf

# LSTMBlockCellGrad's order of the gates (input, cell, forget, output), as positions in Keras's
# order (input, forget, cell, output). The permutation is its own inverse.
_BLOCK_ORDER = (0, 2, 1, 3)


class Steps(NamedTuple):
    """The order of the tokens of a batch: all first tokens, then all second tokens, and so on.

    Within a step the sentences are sorted by length, the longest first.

    Attributes:
        cells: int64 (tokens, 2), the row and the column of each token in the padded batch.
        sizes: int32 (time, 1), the tokens at each step.
        starts: int32 (time, 1), the place of each step's first token.
        ends: int32 (time, 1), the place behind its last one.
        grown: int32 (time, 2, 2), what ``tf.pad`` adds to the next step's rows to have this one's.
    """

    cells: tf.Tensor
    sizes: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    grown: tf.Tensor

    def gather(self, features: tf.Tensor) -> tf.Tensor:
        """Returns what ``run_lstm`` takes: the tokens of (batch, time, width), and 1 for the bias.

        It serves all LSTMs over these features.
        """
        tokens = tf.gather_nd(features, self.cells)
        return tf.pad(tokens, ((0, 0), (0, 1)), constant_values=1)

    def scatter(self, tokens: tf.Tensor) -> tf.Tensor:
        """Puts (tokens, width) back into sentences, (batch, time, width), 0 on padding."""
        # All sentences have a first token.
        shape = (self.sizes[0, 0], tf.shape(self.sizes)[0], tokens.shape[-1])
        return tf.scatter_nd(tf.cast(self.cells, tf.int32), tokens, shape)


# A function by itself, so that a saved graph holds it once.
@tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
def arrange_steps(lengths: tf.Tensor) -> Steps:
    """Arranges the tokens of sentences by step.

    Args:
        lengths: int32 (batch,), at least 1 each.
    """
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    steps = tf.range(tf.reduce_max(lengths))[:, None]
    has_token = steps < tf.gather(lengths, order)  # (time, batch)
    cells = tf.where(has_token)
    cells = tf.stack([tf.gather(tf.cast(order, tf.int64), cells[:, 1]), cells[:, 0]], axis=1)
    sizes = tf.math.count_nonzero(has_token, axis=1, dtype=tf.int32)
    ends = tf.cumsum(sizes)
    more = sizes - tf.concat([sizes[1:], [0]], 0)
    grown = tf.reshape(tf.pad(more[:, None], ((0, 0), (1, 2))), (-1, 2, 2))
    return Steps(cells, sizes[:, None], (ends - sizes)[:, None], ends[:, None], grown)


def run_lstm(
    inputs: tf.Tensor,
    steps: Steps,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    training: bool,
    backward: bool = False,
    precision: tf.DType = tf.float32,
) -> tf.Tensor:
    """Runs an LSTM from zero states and returns all its hidden states.

    Args:
        inputs: float32 (tokens, width + 1), from ``Steps.gather``.
        steps: From ``arrange_steps``; one serves all LSTMs over these sentences.
        kernel: float32 (width, 4 * units).
        recurrent_kernel: float32 (units, 4 * units).
        bias: float32 (4 * units,).
        training: Whether to keep what the fast gradient needs. Otherwise the gradient is
            TensorFlow's own, and slow.
        backward: Whether to go from the last token to the first.
        precision: What matmuls take and give: tf.float32 or tf.bfloat16. Inside a matmul products
            are summed in float32; all between matmuls (gates, cell states) is float32, too.

    Returns:
        float32 (tokens, units), the hidden state behind every token.

    Source: paper, "Bi-directional long short-term memory", the six equations of the LSTM cell.
    """
    units = recurrent_kernel.shape[0]
    ascending = not backward
    weights = tf.concat([kernel, bias[None]], 0)
    if not training:
        # As a tensor: of a variable, the function would get the handle and read it itself.
        recurrent_kernel = tf.convert_to_tensor(recurrent_kernel)
        infer = _inference(inputs.shape[-1], units, ascending, precision)
        return infer(inputs, steps, weights, recurrent_kernel)

    @tf.custom_gradient
    def run(inputs, weights, recurrent_kernel):
        hidden, saved = _run_steps(inputs, steps, weights, recurrent_kernel, ascending, precision)

        def gradient(hidden_gradient):
            return _back_propagate(
                hidden_gradient,
                inputs,
                steps,
                saved,
                weights,
                recurrent_kernel,
                not ascending,
                precision,
            )

        return hidden, gradient

    return run(inputs, weights, recurrent_kernel)


@functools.cache
def _inference(width, units, ascending, precision):
    """The recurrence alone, for LSTMs of one size and direction.

    A function by itself, so that a saved graph holds it once, however many LSTMs it runs.
    """
    shapes = ((None, width), (width, 4 * units), (units, 4 * units))
    inputs, *weights = (tf.TensorSpec(shape, tf.float32) for shape in shapes)
    steps = Steps(
        cells=tf.TensorSpec((None, 2), tf.int64),
        sizes=tf.TensorSpec((None, 1), tf.int32),
        starts=tf.TensorSpec((None, 1), tf.int32),
        ends=tf.TensorSpec((None, 1), tf.int32),
        grown=tf.TensorSpec((None, 2, 2), tf.int32),
    )
    infer = functools.partial(_infer, ascending=ascending, precision=precision)
    return tf.function(infer, input_signature=[inputs, steps, *weights])


def _infer(inputs, steps, weights, recurrent_kernel, ascending, precision):
    projected = _project(inputs, weights, precision)
    multiplier = tf.cast(recurrent_kernel, precision)
    units = recurrent_kernel.shape[0]

    def step(t, rows, h, c):
        h, c, _ = _cell(rows(projected), h, c, multiplier)
        return (h, c), (h,)

    [hidden] = _run_loop(steps, ascending, step, units, [(tf.float32, units)])
    return hidden.concat()


def _run_steps(inputs, steps, weights, recurrent_kernel, ascending, precision):
    """The recurrence, keeping all that the gradient needs.

    Returns:
        The hidden states behind all tokens, (tokens, units); and those before them, followed by
        TensorArrays, each (sentences, units) a step: the cell states before and behind, the four
        gates in Keras's order, and the cell states' tanh.
    """
    projected = _project(inputs, weights, precision)
    multiplier = tf.cast(recurrent_kernel, precision)

    def step(t, rows, h, c):
        new_h, new_c, gates = _cell(rows(projected), h, c, multiplier)
        return (new_h, new_c), (new_h, h, c, new_c, *gates)

    units = recurrent_kernel.shape[0]
    behind, before, *rest = _run_loop(steps, ascending, step, units, [(tf.float32, units)] * 9)
    return behind.concat(), (before.concat(), *rest)


def _back_propagate(
    hidden_gradient, inputs, steps, saved, weights, recurrent_kernel, ascending, precision
):
    """Back-propagation through time: the gradients of inputs, weights and recurrent kernel."""
    hidden_before, cells_before, cells, i, f, g, o, tanh_c = saved
    units = recurrent_kernel.shape[0]
    # What the op below wants beside the states: peepholes, which are off, and shapes.
    no_peephole, bias = tf.zeros((units,)), tf.zeros((4 * units,))
    no_inputs = inputs[:, :0]
    # A matmul by the transpose itself is faster than one that transposes at every step.
    transposed = tf.transpose(_in_block_order(tf.cast(recurrent_kernel, precision)))

    def step(t, rows, dh, dc):
        before = cells_before.read(t)
        dc, dsums, *_ = tf.raw_ops.LSTMBlockCellGrad(
            x=rows(no_inputs),
            cs_prev=before,
            h_prev=before,
            w=recurrent_kernel,
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=bias,
            i=i.read(t),
            cs=cells.read(t),
            f=f.read(t),
            o=o.read(t),
            ci=g.read(t),
            co=tanh_c.read(t),
            cs_grad=dc,
            h_grad=dh + rows(hidden_gradient),
            use_peephole=False,
        )
        dsums = tf.cast(dsums, precision)
        dh = tf.cast(tf.matmul(dsums, transposed), dc.dtype)
        return (dh, dc), (dsums,)

    [sums_gradient] = _run_loop(steps, ascending, step, units, [(precision, 4 * units)])
    sums_gradient = sums_gradient.concat()  # (tokens, 4 * units)
    reordered = _in_block_order(tf.cast(weights, precision))
    inputs_gradient = tf.matmul(sums_gradient, reordered, transpose_b=True)
    return (
        tf.cast(inputs_gradient, inputs.dtype),
        _factor_gradient(inputs, sums_gradient),
        _factor_gradient(hidden_before, sums_gradient),
    )


def _run_loop(steps, ascending, step, units, kept):
    """Runs through all steps, in ascending order or in descending order.

    Args:
        steps: What they are.
        ascending: Whether the first step comes first.
        step: What is done at step t: called as ``step(t, rows, *states)``, with a function that
            takes the step's rows of (tokens, ...) and two states (sentences, units), 0 where a
            sentence begins, it returns the new states and values to keep.
        units: Of the states.
        kept: The values' dtypes and widths.

    Returns:
        A TensorArray a value, by step.
    """
    count = tf.shape(steps.sizes)[0]
    bounds = [_to_array(rows) for rows in (steps.starts, steps.ends)]
    # Of those sentences that are in both, states are handed on.
    changes = _to_array(steps.sizes if ascending else steps.grown)

    def run(t, states, arrays):
        begin, end = (bound.read(t) for bound in bounds)
        change = changes.read(t)
        if ascending:
            states = [_rows(state, [0], change) for state in states]
        else:
            states = [tf.pad(state, change) for state in states]
        states, values = step(t, lambda tokens: _rows(tokens, begin, end), *states)
        arrays = [array.write(t, value) for array, value in zip(arrays, values)]
        return t + (1 if ascending else -1), states, arrays

    zeros = tf.zeros((steps.sizes[0, 0] if ascending else 0, units))
    shape = tf.TensorShape((None, units))
    arrays = [
        tf.TensorArray(dtype, count, infer_shape=False, element_shape=(None, width))
        for dtype, width in kept
    ]
    *_, arrays = tf.while_loop(
        lambda t, *_: (t >= 0) & (t < count),
        run,
        (0 if ascending else count - 1, (zeros, zeros), arrays),
        shape_invariants=(tf.TensorShape(()), (shape, shape), [tf.TensorShape(None)] * len(arrays)),
        parallel_iterations=1,
    )
    return arrays


def _to_array(values):
    """One row a step: reading an array is one op, slicing a tensor by a number several."""
    return tf.TensorArray(values.dtype, tf.shape(values)[0]).unstack(values)


def _rows(tokens, begin, end):
    return tf.strided_slice(tokens, begin, end, [1])


def _factor_gradient(factors, sums_gradient):
    """The gradient of weights, in Keras's order, that ``factors`` were multiplied with."""
    gradient = tf.matmul(tf.cast(factors, sums_gradient.dtype), sums_gradient, transpose_a=True)
    return tf.cast(_in_block_order(gradient), factors.dtype)


def _project(inputs, weights, precision):
    """Returns the inputs' part of the sums of all steps: (tokens, 4 * units)."""
    return tf.matmul(tf.cast(inputs, precision), tf.cast(weights, precision))


def _cell(projected, h, c, recurrent_kernel):
    """One step: the new h and c, and the gates and tanh(c), each (sentences, units)."""
    recurrent = tf.matmul(tf.cast(h, recurrent_kernel.dtype), recurrent_kernel)
    sums = tf.cast(projected, h.dtype) + tf.cast(recurrent, h.dtype)
    i, f, g, o = tf.split(sums, 4, axis=-1)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    c = f * c + i * g
    tanh_c = tf.tanh(c)
    return o * tanh_c, c, (i, f, g, o, tanh_c)


def _in_block_order(weights):
    """(rows, 4 * units) with the gates' columns from Keras's order to the op's, and back."""
    rows, columns = weights.shape
    gates = tf.reshape(weights, (rows, 4, columns // 4))
    return tf.reshape(tf.gather(gates, _BLOCK_ORDER, axis=1), (rows, columns))
