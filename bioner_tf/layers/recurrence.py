"""LSTMs over the sentences of a batch, in either direction, with a hand-written gradient.

TensorFlow's own LSTM differentiates its loop op by op, so that every step of the backward loop has
a small matmul for the weights' gradient. Here the loops only do the work that depends on the
previous step: one matmul, and the gates' arithmetic on values that are still in the processor's
cache. All other work is done for all steps at once: the input projection before the loop, the
weights' gradients after it.

Padding is never computed. Sentences are sorted by length, longest first. The sentences with a token
at step t are therefore the first rows of the sentences with a token at step t - 1, and from step to
step the states lose rows or get new rows of zeros. The backward direction does not reverse any
tensor; its loop counts down.

With the same weights, values and gradients equal those of ``keras.layers.LSTM`` (gate order input,
forget, cell, output; sigmoid and tanh).
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

    Within a step the sentences are sorted by length, longest first.

    Attributes:
        cells: int64 (tokens, 2), the row and the column of each token in the padded batch.
        sizes: int32 (time, 1), the number of tokens at each step.
        starts: int32 (time, 1), the index of each step's first token.
        ends: int32 (time, 1), the index after each step's last token.
        grown: int32 (time, 2, 2), paddings for ``tf.pad`` from the next step's rows to this step's.
    """

    cells: tf.Tensor
    sizes: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    grown: tf.Tensor

    def gather(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the tokens of (batch, time, width) and a column of 1, the inputs of ``run_lstm``.

        All LSTMs over these features can use the result.
        """
        tokens = tf.gather_nd(features, self.cells)
        return tf.pad(tokens, ((0, 0), (0, 1)), constant_values=1)

    def scatter(self, tokens: tf.Tensor) -> tf.Tensor:
        """Puts (tokens, width) back into sentences, (batch, time, width), 0 on padding."""
        # Every sentence has a first token, so the first size is the batch size.
        shape = (self.sizes[0, 0], tf.shape(self.sizes)[0], tokens.shape[-1])
        return tf.scatter_nd(tf.cast(self.cells, tf.int32), tokens, shape)


# A separate function, so that a saved graph holds it once.
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
        steps: From ``arrange_steps``; the same for all LSTMs over these sentences.
        kernel: float32 (width, 4 * units).
        recurrent_kernel: float32 (units, 4 * units).
        bias: float32 (4 * units,).
        training: Whether to keep the values that the fast gradient needs. Otherwise the gradient is
            TensorFlow's own, which is slow.
        backward: Whether to go from the last token to the first.
        precision: Type of the inputs and results of matmuls: tf.float32 or tf.bfloat16. Sums inside
            a matmul, gates and cell states are always float32.

    Returns:
        float32 (tokens, units), the hidden state after each token.

    Source: paper, "Bi-directional long short-term memory", the six equations of the LSTM cell.
    """
    units = recurrent_kernel.shape[0]
    ascending = not backward
    weights = tf.concat([kernel, bias[None]], 0)
    if not training:
        # Convert: a variable would be passed as a handle, and the function would read it.
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
    """The forward pass without a gradient, for LSTMs of one size and direction.

    A separate function, so that a saved graph holds it once for all such LSTMs.
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
    """The forward pass; keeps all values that the gradient needs.

    Returns:
        The hidden states after each token, (tokens, units); and a tuple: the hidden states before
        each token, then TensorArrays with (sentences, units) for each step: the cell states before
        and after, the four gates in Keras's order, and the cell states' tanh.
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
    """Back-propagation through time: gradients for inputs, weights and recurrent kernel."""
    hidden_before, cells_before, cells, i, f, g, o, tanh_c = saved
    units = recurrent_kernel.shape[0]
    # The op below also takes peepholes, which are off, and tensors that only give shapes.
    no_peephole, bias = tf.zeros((units,)), tf.zeros((4 * units,))
    no_inputs = inputs[:, :0]
    # Transposing once is faster than a matmul that transposes at every step.
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
    """Runs all steps in ascending or descending order.

    Args:
        steps: The order of the tokens.
        ascending: Whether the first step comes first.
        step: Called as ``step(t, rows, *states)``: ``rows`` selects the rows of step t from
            (tokens, ...); the two states are (sentences, units), 0 where a sentence begins.
            Returns the new states and the values to keep.
        units: The width of the states.
        kept: Dtype and width of each value to keep.

    Returns:
        For each value to keep a TensorArray, by step.
    """
    count = tf.shape(steps.sizes)[0]
    bounds = [_to_array(rows) for rows in (steps.starts, steps.ends)]
    # Only the sentences that have a token at both steps keep their states.
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
    """An array with one row for each step: reading it takes one op, slicing a tensor several."""
    return tf.TensorArray(values.dtype, tf.shape(values)[0]).unstack(values)


def _rows(tokens, begin, end):
    return tf.strided_slice(tokens, begin, end, [1])


def _factor_gradient(factors, sums_gradient):
    """The gradient of the weights that ``factors`` were multiplied with, in Keras's gate order."""
    gradient = tf.matmul(tf.cast(factors, sums_gradient.dtype), sums_gradient, transpose_a=True)
    return tf.cast(_in_block_order(gradient), factors.dtype)


def _project(inputs, weights, precision):
    """Returns the inputs' contribution to the gates' sums at all steps: (tokens, 4 * units)."""
    return tf.matmul(tf.cast(inputs, precision), tf.cast(weights, precision))


def _cell(projected, h, c, recurrent_kernel):
    """One step: returns the new h and c, and the gates with tanh(c), each (sentences, units)."""
    recurrent = tf.matmul(tf.cast(h, recurrent_kernel.dtype), recurrent_kernel)
    sums = tf.cast(projected, h.dtype) + tf.cast(recurrent, h.dtype)
    i, f, g, o = tf.split(sums, 4, axis=-1)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    c = f * c + i * g
    tanh_c = tf.tanh(c)
    return o * tanh_c, c, (i, f, g, o, tanh_c)


def _in_block_order(weights):
    """Reorders the gates' columns of (rows, 4 * units): Keras's order to the op's, or back."""
    rows, columns = weights.shape
    gates = tf.reshape(weights, (rows, 4, columns // 4))
    return tf.reshape(tf.gather(gates, _BLOCK_ORDER, axis=1), (rows, columns))
