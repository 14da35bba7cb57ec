"""Decoding and probabilities of any linear-chain CRF.

A CRF is given by one tensor, its *potentials*, ``float (batch, time, num_tags, num_tags)``:
``potentials[b, t, i, j]`` is the score, in nats, of tag ``j`` at token ``t`` after tag ``i`` at
token ``t - 1``. The first token has no predecessor: there only row ``i = 0`` counts. The score of
a sequence is the sum of its potentials; its probability is ``exp(score - log Z)``. Padding is on
the right, and its values are ignored. ``time`` and all lengths are at least 1.

The functions use core TensorFlow ops in ``float32`` or ``float64``. They are vectorised over the
batch and loop once over time. Every recursion subtracts its running maximum, so that numbers do not
grow with the sentence and long sentences are as exact as short ones.

:func:`normalise` turns potentials into the conditional probabilities of a Markov chain with the
same distribution, in the same layout. Token marginals and span probabilities are short products
over that chain.
"""

from __future__ import annotations

import tensorflow as tf

# Finite, so that inf - inf cannot occur; its exponential is zero in float32 and float64.
FORBIDDEN = -1e9


def restrict(
    potentials: tf.Tensor,
    legal_starts: tf.Tensor,
    legal_transitions: tf.Tensor,
    legal_ends: tf.Tensor,
    lengths: tf.Tensor,
) -> tf.Tensor:
    """Rules out illegal tag sequences by setting their potentials to :data:`FORBIDDEN`.

    Args:
        potentials: float (batch, time, num_tags, num_tags).
        legal_starts: bool (num_tags,), the tags that a sentence may start with.
        legal_transitions: bool (num_tags, num_tags), ``[from, to]``.
        legal_ends: bool (num_tags,), the tags that a sentence may end with.
        lengths: int32 (batch,), tokens in each row, at least 1.

    Returns:
        float (batch, time, num_tags, num_tags): the potentials of the restricted CRF.
    """
    positions = tf.range(tf.shape(potentials)[1])
    # (time, num_tags, num_tags)
    legal = tf.where(
        (positions == 0)[:, tf.newaxis, tf.newaxis],
        tf.convert_to_tensor(legal_starts)[tf.newaxis, tf.newaxis, :],
        tf.convert_to_tensor(legal_transitions)[tf.newaxis],
    )
    is_last = positions[tf.newaxis] == lengths[:, tf.newaxis] - 1  # (batch, time)
    # (batch, time, 1, num_tags)
    may_stop = tf.convert_to_tensor(legal_ends) | ~is_last[:, :, tf.newaxis, tf.newaxis]
    return tf.where(legal & may_stop, potentials, tf.constant(FORBIDDEN, potentials.dtype))


def viterbi(potentials: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The most probable tag sequence of every row; ties go to the lower tag ids.

    Args:
        potentials: float (batch, time, num_tags, num_tags).
        lengths: int32 (batch,), at least 1.

    Returns:
        int32 (batch, time): tag ids, 0 at padding.
    """
    # (time, batch, to, from): the maximum over the innermost axis is the fast one.
    steps = tf.transpose(_staying_at_padding(potentials, lengths), [1, 0, 3, 2])
    time = tf.shape(steps)[0]
    step_at = _steps_array(potentials.dtype, time).unstack(steps)

    def step_forward(
        t: tf.Tensor, best: tf.Tensor, pointers: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        scores = step_at.read(t) + best[:, tf.newaxis, :]
        pointers = pointers.write(t, tf.argmax(scores, axis=-1, output_type=tf.int32))
        return t + 1, _below_its_maximum(tf.reduce_max(scores, axis=-1)), pointers

    _, best, pointers = tf.while_loop(
        lambda t, *_: t < time,
        step_forward,
        (1, _below_its_maximum(steps[0, :, :, 0]), _steps_array(tf.int32, time)),
    )

    def step_back(
        t: tf.Tensor, tag: tf.Tensor, path: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        previous = tf.gather(pointers.read(t), tag, axis=1, batch_dims=1)
        return t - 1, previous, path.write(t - 1, previous)

    last_tag = tf.argmax(best, axis=-1, output_type=tf.int32)  # (batch,)
    path = _steps_array(tf.int32, time).write(time - 1, last_tag)
    _, _, path = tf.while_loop(lambda t, *_: t > 0, step_back, (time - 1, last_tag, path))
    tags = tf.ensure_shape(_batch_major(path.stack()), potentials.shape[:2])
    return tf.where(tf.sequence_mask(lengths, time), tags, 0)


def normalise(potentials: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns potentials into the conditional log-probabilities of the same distribution.

    Args:
        potentials: float (batch, time, num_tags, num_tags).
        lengths: int32 (batch,), at least 1.

    Returns:
        A pair of

        - chain: float (batch, time, num_tags, num_tags): ``log P(tag j at t | tag i at t - 1)``
          given the whole sentence; at the first token, row 0 is ``log P(tag j at 0)``. The
          probabilities of a row sum to one. Undefined at padding.
        - log_partition: float (batch,), log Z in nats.
    """
    steps = _time_major(_staying_at_padding(potentials, lengths))
    time = tf.shape(steps)[0]
    step_at = _steps_array(potentials.dtype, time).unstack(steps)

    def step(
        t: tf.Tensor, beta: tf.Tensor, log_scale: tf.Tensor, betas: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        message = _log_sum_exp(step_at.read(t) + beta[:, tf.newaxis, :])
        scale = tf.reduce_max(message, axis=-1, keepdims=True)  # (batch, 1)
        beta = message - scale
        return t - 1, beta, log_scale + scale, betas.write(t - 1, beta)

    # Nothing follows the last token: weight one, log 0. Padding keeps this value.
    beta = tf.zeros_like(steps[0, :, 0])
    betas = _steps_array(potentials.dtype, time).write(time - 1, beta)
    _, beta, log_scale, betas = tf.while_loop(
        lambda t, *_: t > 0, step, (time - 1, beta, tf.zeros_like(beta[:, :1]), betas)
    )
    # (batch, time, num_tags, num_tags)
    weights = potentials + _batch_major(betas.stack())[:, :, tf.newaxis, :]
    log_partition = _log_sum_exp(steps[0, :, 0] + beta) + log_scale[:, 0]
    return tf.nn.log_softmax(weights, axis=-1), log_partition


def token_marginals(chain: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The probability of every tag at every token.

    Args:
        chain: float (batch, time, num_tags, num_tags), the first result of :func:`normalise`.
        lengths: int32 (batch,), at least 1.

    Returns:
        float (batch, time, num_tags): probabilities that sum to one at each token, 0 at padding.
    """
    steps = tf.exp(_time_major(chain))
    time = tf.shape(steps)[0]
    step_at = _steps_array(chain.dtype, time).unstack(steps)

    def step(
        t: tf.Tensor, marginal: tf.Tensor, marginals: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        marginal = tf.linalg.matvec(step_at.read(t), marginal, transpose_a=True)
        # Otherwise rounding errors add up over a long sentence, to probabilities above one.
        marginal /= tf.reduce_sum(marginal, axis=-1, keepdims=True)
        return t + 1, marginal, marginals.write(t, marginal)

    first = steps[0, :, 0]
    marginals = _steps_array(chain.dtype, time).write(0, first)
    _, _, marginals = tf.while_loop(lambda t, *_: t < time, step, (1, first, marginals))
    is_token = tf.sequence_mask(lengths, time)[:, :, tf.newaxis]
    stacked = _batch_major(marginals.stack())
    return tf.ensure_shape(tf.where(is_token, stacked, tf.zeros_like(stacked)), chain.shape[:3])


def transition_marginals(chain: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The probability of each pair of neighbouring tags: the gradient of log Z.

    Args:
        chain: float (batch, time, num_tags, num_tags), the first result of :func:`normalise`.
        lengths: int32 (batch,), at least 1.

    Returns:
        float (batch, time, num_tags, num_tags): ``P(tag i at t - 1 and tag j at t)``; at the first
        token ``P(tag j)`` in row 0 and 0 in the others; 0 at padding.
    """
    marginals = token_marginals(chain, lengths)
    # The first token follows "tag 0" with probability one, because only row 0 counts there.
    before_first = tf.one_hot([0], tf.shape(chain)[-1], dtype=chain.dtype)[tf.newaxis]
    before_first = tf.tile(before_first, [tf.shape(chain)[0], 1, 1])
    previous = tf.concat([before_first, marginals[:, :-1]], axis=1)  # (batch, time, num_tags)
    pairs = previous[..., tf.newaxis] * tf.exp(chain)
    is_token = tf.sequence_mask(lengths, tf.shape(chain)[1])[:, :, tf.newaxis, tf.newaxis]
    return tf.where(is_token, pairs, tf.zeros_like(pairs))


def log_partition(potentials: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Log Z of every row; its gradient takes one more pass instead of a recorded loop.

    Args:
        potentials: float (batch, time, num_tags, num_tags).
        lengths: int32 (batch,), at least 1.

    Returns:
        float (batch,), in nats. Can be differentiated once with respect to the potentials.
    """

    @tf.custom_gradient
    def differentiable(values: tf.Tensor) -> tuple[tf.Tensor, object]:
        chain, result = normalise(values, lengths)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            weights = upstream[:, tf.newaxis, tf.newaxis, tf.newaxis]
            return weights * transition_marginals(chain, lengths)

        return result, gradient

    return differentiable(potentials)


def sequence_score(potentials: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The score of one tag sequence for each row; minus :func:`log_partition`, its log-likelihood.

    Args:
        potentials: float (batch, time, num_tags, num_tags).
        tags: int32 (batch, time), any valid tag id at padding.
        lengths: int32 (batch,), at least 1.

    Returns:
        float (batch,): sum over the row's tokens, in nats.
    """
    return tf.reduce_sum(_along_path(potentials, tags, lengths), axis=1)


def decode(potentials: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The best tags and what their probabilities are made of, in two loops over time for all.

    The loops keep the batch in the last axis: operations on a few tags each are slow otherwise.

    Args:
        potentials: float (batch, time, num_tags, num_tags).
        lengths: int32 (batch,), at least 1.

    Returns:
        A triple of

        - tags: int32 (batch, time), as :func:`viterbi` gives them.
        - marginals: float (batch, time, num_tags), as :func:`token_marginals` gives them.
        - following: float (batch, time, num_tags): the log weight of what follows a tag, but for a
          constant at each token. Meaningless at padding.
    """
    # (time, from, to, batch)
    steps = tf.transpose(_staying_at_padding(potentials, lengths), [1, 2, 3, 0])
    time, batch = tf.shape(steps)[0], tf.shape(steps)[3]
    step_at = _steps_array(potentials.dtype, time).unstack(steps)

    def step_forward(
        t: tf.Tensor,
        best: tf.Tensor,
        weights: tf.Tensor,
        all_best: tf.TensorArray,
        all_weights: tf.TensorArray,
    ) -> tuple[tf.Tensor, ...]:
        scores = step_at.read(t)
        best = _below_its_maximum(tf.reduce_max(scores + best[:, tf.newaxis], axis=0), axis=0)
        weights = _log_sum_exp(scores + weights[:, tf.newaxis], axis=0)
        weights = _below_its_maximum(weights, axis=0)
        return t + 1, best, weights, all_best.write(t, best), all_weights.write(t, weights)

    first = _below_its_maximum(steps[0, 0], axis=0)  # (num_tags, batch)
    _, best, _, all_best, preceding = tf.while_loop(
        lambda t, *_: t < time,
        step_forward,
        (
            1,
            first,
            first,
            _steps_array(potentials.dtype, time).write(0, first),
            _steps_array(potentials.dtype, time).write(0, first),
        ),
    )
    # (time - 1, to, batch): the best tag before each.
    pointers = tf.argmax(
        steps[1:] + all_best.stack()[:-1, :, tf.newaxis], axis=1, output_type=tf.int32
    )
    pointers_at = _steps_array(tf.int32, time - 1).unstack(pointers)
    rows = tf.range(batch)

    def step_back(
        t: tf.Tensor,
        tag: tf.Tensor,
        weights: tf.Tensor,
        path: tf.TensorArray,
        all_weights: tf.TensorArray,
    ) -> tuple[tf.Tensor, ...]:
        tag = tf.gather_nd(pointers_at.read(t - 1), tf.stack([tag, rows], axis=1))
        weights = _log_sum_exp(step_at.read(t) + weights, axis=1)
        weights = _below_its_maximum(weights, axis=0)
        return t - 1, tag, weights, path.write(t - 1, tag), all_weights.write(t - 1, weights)

    last_tag = tf.argmax(best, axis=0, output_type=tf.int32)  # (batch,)
    # What follows a sentence's last token has weight one, log 0; it stays so through the padding.
    nothing = tf.zeros_like(best)
    *_, path, following = tf.while_loop(
        lambda t, *_: t > 0,
        step_back,
        (
            time - 1,
            last_tag,
            nothing,
            _steps_array(tf.int32, time).write(time - 1, last_tag),
            _steps_array(potentials.dtype, time).write(time - 1, nothing),
        ),
    )
    is_token = tf.sequence_mask(lengths, time)
    following = tf.transpose(following.stack(), [2, 0, 1])
    marginals = tf.nn.softmax(tf.transpose(preceding.stack(), [2, 0, 1]) + following)
    return (
        tf.where(is_token, tf.transpose(path.stack()), 0),
        tf.where(is_token[:, :, tf.newaxis], marginals, tf.zeros_like(marginals)),
        following,
    )


def entity_scores(
    potentials: tf.Tensor,
    marginals: tf.Tensor,
    following: tf.Tensor,
    tags: tf.Tensor,
    lengths: tf.Tensor,
    begins_entity: tf.Tensor,
    continues_entity: tf.Tensor,
) -> tf.Tensor:
    """The probability of each decoded entity: that exactly this span is one, with this type.

    An entity is a tag that begins one and the tags that continue it; it is *exactly* this span if
    the tag behind it does not continue it. A legal span has one tag path, so its probability is
    that of the first tag, times the conditional probabilities along the path, times the
    probability that what follows does not continue it (one at the end of the sentence).

    Args:
        potentials: float (batch, time, num_tags, num_tags), restricted.
        marginals: float (batch, time, num_tags), from :func:`decode`.
        following: float (batch, time, num_tags), from :func:`decode`.
        tags: int32 (batch, time), a legal tag sequence a row, such as :func:`decode` returns.
        lengths: int32 (batch,), at least 1.
        begins_entity: bool (num_tags,) or (batch, num_tags), true for ``B-`` and ``S-`` tags.
        continues_entity: the same, true for ``I-`` and ``E-`` tags.

    Returns:
        float (batch, time): probability in [0, 1] at the first token of each entity, 0 elsewhere.
    """
    batch, time, num_tags = tf.unstack(tf.shape(marginals))
    begins_entity, continues_entity = (
        tf.broadcast_to(table, (batch, num_tags)) for table in (begins_entity, continues_entity)
    )
    is_token = tf.sequence_mask(lengths, time)
    begins = tf.gather(begins_entity, tags, batch_dims=1) & is_token  # (batch, time)
    continues = tf.gather(continues_entity, tags, batch_dims=1) & is_token

    first = tf.math.log(tf.gather(marginals, tags, axis=2, batch_dims=2))
    # (batch, time, num_tags): log-probability of each tag after the tag that stands before it.
    previous = tf.concat([tf.zeros_like(tags[:, :1]), tags[:, :-1]], axis=1)
    after = tf.gather(potentials, previous, axis=2, batch_dims=2) + following
    after = tf.nn.log_softmax(after)
    inside = tf.gather(after, tags, axis=2, batch_dims=2)
    log_terms = tf.where(begins, first, tf.where(continues, inside, tf.zeros_like(inside)))

    # (batch, time): probability that the next tag continues nothing.
    stopping = tf.where(continues_entity[:, tf.newaxis], tf.zeros_like(after), tf.exp(after))
    stop = tf.reduce_sum(stopping, axis=-1)
    stop = tf.concat([stop[:, 1:], tf.ones_like(stop[:, :1])], axis=1)
    next_continues = tf.concat([continues[:, 1:], tf.zeros_like(continues[:, :1])], axis=1)
    is_last = tf.range(time)[tf.newaxis] == lengths[:, tf.newaxis] - 1
    stops_here = (begins | continues) & ~next_continues & ~is_last
    log_terms += tf.where(stops_here, tf.math.log(stop), tf.zeros_like(stop))

    # An entity is the terms from its first token up to the next entity's, which are 0 outside.
    begins_flat = tf.reshape(begins, [-1])
    entities = tf.cumsum(tf.cast(begins_flat, tf.int32))  # (batch * time,), from 1
    sums = tf.math.segment_sum(tf.reshape(log_terms, [-1]), entities)
    # Rounding may give a little more than one.
    scores = tf.minimum(tf.exp(tf.gather(sums, entities)), tf.ones([], marginals.dtype))
    return tf.reshape(tf.where(begins_flat, scores, tf.zeros_like(scores)), (batch, time))


def _along_path(potentials: tf.Tensor, tags: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """The potential of each token's tag given the tag before; float (batch, time), 0 at padding."""
    previous = tf.concat([tf.zeros_like(tags[:, :1]), tags[:, :-1]], axis=1)
    rows = tf.gather(potentials, previous, axis=2, batch_dims=2)  # (batch, time, num_tags)
    values = tf.gather(rows, tags, axis=2, batch_dims=2)  # (batch, time)
    is_token = tf.sequence_mask(lengths, tf.shape(tags)[1])
    return tf.where(is_token, values, tf.zeros_like(values))


def _staying_at_padding(potentials: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Replaces potentials at padding: the last token's tag repeats, with a score of 0."""
    num_tags = tf.shape(potentials)[-1]
    staying = (1 - tf.eye(num_tags, dtype=potentials.dtype)) * FORBIDDEN
    is_token = tf.sequence_mask(lengths, tf.shape(potentials)[1])
    return tf.where(is_token[:, :, tf.newaxis, tf.newaxis], potentials, staying)


def _log_sum_exp(scores: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Computes log(sum(exp)) over an axis; unlike TensorFlow's, for finite numbers only."""
    maximum = tf.reduce_max(scores, axis=axis, keepdims=True)
    sums = tf.reduce_sum(tf.exp(scores - maximum), axis=axis)
    return tf.math.log(sums) + tf.squeeze(maximum, axis=axis)


def _below_its_maximum(scores: tf.Tensor, axis: int = -1) -> tf.Tensor:
    return scores - tf.reduce_max(scores, axis=axis, keepdims=True)


def _time_major(tensor: tf.Tensor) -> tf.Tensor:
    return tf.transpose(tensor, [1, 0, 2, 3])


def _batch_major(tensor: tf.Tensor) -> tf.Tensor:
    axes = [1, 0, *range(2, tensor.shape.rank)]
    return tf.transpose(tensor, axes)


def _steps_array(dtype: tf.DType, time: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(dtype, size=time, clear_after_read=False)
