"""The warm-up requests of an export: TensorFlow Serving runs them before it serves a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

# TensorFlow Serving looks for the requests here.
WARMUP_PATH = Path("assets.extra") / "tf_serving_warmup_requests"

_WARMUP_TEXT = "Mutations in BRCA1 cause breast cancer. It was found in 1994."


def write_warmup(path: Path, signatures: Sequence[str]) -> None:
    """Writes one request for each signature.

    Args:
        path: The file to write, a TFRecord of ``PredictionLog``.
        signatures: The names of the signatures.
    """
    tokens = _WARMUP_TEXT.split()
    text_inputs = {"text": tf.make_tensor_proto([_WARMUP_TEXT])}
    tokens_inputs = {
        "tokens": tf.make_tensor_proto([tokens]),
        "lengths": tf.make_tensor_proto([len(tokens)], tf.int32),
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name in signatures:
            inputs = tokens_inputs if name.startswith("tag_tokens") else text_inputs
            writer.write(_prediction_log(name, inputs))


def _prediction_log(signature: str, inputs: Mapping[str, Any]) -> bytes:
    """A request as a serialized ``tensorflow.serving.PredictionLog``.

    tensorflow-serving-api has classes for it, but is a large dependency for these six fields:
    ``PredictionLog.predict_log = 6``, ``PredictLog.request = 1``, ``PredictRequest.model_spec = 1``
    and ``inputs = 2`` (a map: entries of ``key = 1``, ``value = 2``), ``ModelSpec.name = 1`` and
    ``signature_name = 3``. All are length-delimited.
    """
    model_spec = _field(1, b"tagger") + _field(3, signature.encode())
    request = _field(1, model_spec)
    for name, tensor in inputs.items():
        request += _field(2, _field(1, name.encode()) + _field(2, tensor.SerializeToString()))
    return _field(6, _field(1, request))


def _field(number: int, payload: bytes) -> bytes:
    """One length-delimited field in protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
