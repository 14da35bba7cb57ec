#!/usr/bin/env python3
"""Tags text through TensorFlow Serving: a client to run, to import or to copy from.

One text a line in, one object of JSON a line out::

    bioner_client.py --rest=http://localhost:8501 --model=tagger < texts.txt
    bioner_client.py --grpc=localhost:8500 --model=tagger < texts.txt

REST needs Python's standard library alone; gRPC needs ``grpcio`` and ``protobuf``, but neither
TensorFlow nor tensorflow-serving-api. In a program::

    client = Client(Rest("http://localhost:8501", "tagger"))
    for text, entities in zip(texts, client.tag(texts)):
        ...

A server that is busy, starting, cannot be reached or does not answer in time is asked again, after
waits that double and are drawn at random; what the server refuses is told at once.
"""

from __future__ import annotations

import argparse
import array
import functools
import http.client
import itertools
import json
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

SIGNATURE = "serving_default"
# Too many requests, and the answers of a server or its proxy while it cannot serve.
_BUSY = (429, 502, 503, 504)
_BUSY_CODES = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 10.0


class Entity(NamedTuple):
    """An entity: offsets count code points from the text's start, the end is exclusive.

    ``corpus`` is empty where the signature does not say it: ``tag_text_<corpus>``.
    """

    start: int
    end: int
    type: str
    text: str
    score: float
    corpus: str = ""


class ServerError(Exception):
    """The server refused the request, or its answer is not that of a tagger."""


class ServerUnavailableError(ServerError):
    """The server cannot answer now; the request may be sent again later."""


# The outputs of a signature by name, each with one item for each text.
Columns = Mapping[str, Sequence[Any]]


class Client:
    """Sends texts in batches, and again where the server could not answer.

    Args:
        transport: ``Rest`` or ``Grpc``.
        batch_size: Texts a request.
        retries: How many times a request is sent again.
    """

    def __init__(self, transport: Rest | Grpc, batch_size: int = 32, retries: int = 5):
        self._transport = transport
        self._batch_size = batch_size
        self._retries = retries

    def tag(self, texts: Iterable[str]) -> Iterator[list[Entity]]:
        """Yields the entities of each text, in the texts' order.

        Raises:
            ServerError: The server refused, or could not be reached in all these attempts.
        """
        remaining = iter(texts)
        while batch := list(itertools.islice(remaining, self._batch_size)):
            yield from _to_entities(self._predict(batch), len(batch))

    def _predict(self, texts: Sequence[str]) -> Columns:
        for attempt in range(self._retries):
            try:
                return self._transport.predict(texts)
            except ServerUnavailableError:
                longest = min(_FIRST_WAIT_SECONDS * 2**attempt, _LONGEST_WAIT_SECONDS)
                time.sleep(random.uniform(longest / 2, longest))
        return self._transport.predict(texts)


class Rest:
    """TensorFlow Serving's REST interface.

    Args:
        url: Where the server is, such as ``http://localhost:8501``.
        model: The model's name there.
        signature: Whose answers are wanted: ``serving_default`` or ``tag_text_<corpus>``.
        label: The version's label, such as ``stable``; by default the newest version answers.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self,
        url: str,
        model: str,
        signature: str = SIGNATURE,
        label: str | None = None,
        timeout: float = 30.0,
    ):
        path = f"/v1/models/{urllib.parse.quote(model)}"
        if label is not None:
            path += f"/labels/{urllib.parse.quote(label)}"
        self._url = f"{url.rstrip('/')}{path}:predict"
        self._signature = signature
        self._timeout = timeout

    def predict(self, texts: Sequence[str]) -> Columns:
        """Sends one request, without a retry."""
        body = {
            "signature_name": self._signature,
            "inputs": {"text": [_without_surrogates(text) for text in texts]},
        }
        request = urllib.request.Request(
            self._url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            kind = ServerUnavailableError if error.code in _BUSY else ServerError
            raise kind(f"{self._url}: {error.code}: {_reason(error)}") from error
        except json.JSONDecodeError as error:
            raise ServerError(f"{self._url}: expected JSON, got {error.doc[:80]!r}") from error
        # URLError and timeouts are OSErrors.
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnavailableError(f"{self._url}: {error}") from error
        if "outputs" not in answer:
            raise ServerError(f"{self._url}: expected outputs, got {sorted(answer)}")
        return answer["outputs"]


def _without_surrogates(text: str) -> str:
    """Replaces lone surrogates, which UTF-8 cannot hold, by "?"; no offset changes."""
    return text.encode("utf-8", "replace").decode()


def _reason(error: urllib.error.HTTPError) -> str:
    body = error.read()
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip() or error.reason


class Grpc:
    """TensorFlow Serving's gRPC interface.

    Args:
        target: Where the server is, such as ``localhost:8500``.
        model: The model's name there.
        signature: Whose answers are wanted: ``serving_default`` or ``tag_text_<corpus>``.
        label: The version's label, such as ``stable``; by default the newest version answers.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self,
        target: str,
        model: str,
        signature: str = SIGNATURE,
        label: str | None = None,
        timeout: float = 30.0,
    ):
        import grpc

        self._grpc = grpc
        self._target = target
        self._timeout = timeout
        self._request_class = _message_class("PredictRequest")
        spec = {"name": model, "signature_name": signature}
        self._spec = spec if label is None else {**spec, "version_label": label}
        # A batch of articles easily exceeds gRPC's default limit of 4 MB.
        unlimited = [(f"grpc.max_{side}_message_length", -1) for side in ("send", "receive")]
        self._call = grpc.insecure_channel(target, options=unlimited).unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=self._request_class.SerializeToString,
            response_deserializer=_message_class("PredictResponse").FromString,
        )

    def predict(self, texts: Sequence[str]) -> Columns:
        """Asks once."""
        request = self._request_class(model_spec=self._spec)
        tensor = request.inputs["text"]
        tensor.dtype = _STRING
        tensor.tensor_shape.dim.add(size=len(texts))
        tensor.string_val.extend(_without_surrogates(text).encode() for text in texts)
        try:
            response = self._call(request, timeout=self._timeout)
        except self._grpc.RpcError as error:
            code = error.code()
            kind = ServerUnavailableError if code.name in _BUSY_CODES else ServerError
            raise kind(f"{self._target}: {code.name}: {error.details()}") from error
        return {name: _to_rows(tensor) for name, tensor in response.outputs.items()}


# What this client needs of tensorflow_serving/apis/{predict,model}.proto and of
# tensorflow/core/framework/{tensor,tensor_shape}.proto: fields by message, as (name, number, type).
_MESSAGES = {
    "ModelSpec": [
        ("name", 1, "string"),
        ("signature_name", 3, "string"),
        ("version_label", 4, "string"),
    ],
    "Dim": [("size", 1, "int64")],
    "TensorShape": [("dim", 2, "repeated Dim")],
    "Tensor": [
        ("dtype", 1, "int32"),
        ("tensor_shape", 2, "TensorShape"),
        ("tensor_content", 4, "bytes"),
        ("float_val", 5, "repeated float"),
        ("int_val", 7, "repeated int32"),
        ("string_val", 8, "repeated bytes"),
    ],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "map Tensor")],
    "PredictResponse": [("outputs", 1, "map Tensor"), ("model_spec", 2, "ModelSpec")],
}
_FLOAT, _INT32, _STRING = 1, 3, 7  # tensorflow/core/framework/types.proto


@functools.lru_cache(maxsize=1)
def _message_pool() -> Any:
    """Makes the messages in a separate pool, where their names cannot clash."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="bioner", package="bioner", syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, described in fields:
            *labels, kind = described.split()
            if labels == ["map"]:
                entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
                entry.options.map_entry = True
                _add_field(entry, "key", 1, "string", repeated=False)
                _add_field(entry, "value", 2, kind, repeated=False)
                kind = f"{message_name}.{entry.name}"
            _add_field(message, name, number, kind, repeated=bool(labels))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, name: str, number: int, kind: str, repeated: bool) -> None:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind[0].islower():
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".bioner.{kind}"


def _message_class(name: str) -> Any:
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_message_pool().FindMessageTypeByName(f"bioner.{name}"))


def _to_rows(tensor: Any) -> list[Any]:
    """The items of a tensor of one or two axes along the first of them."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    size = shape[0] * (shape[1] if len(shape) > 1 else 1)
    if tensor.dtype == _STRING:
        values = [value.decode("utf-8", "replace") for value in tensor.string_val]
        default: Any = ""
    else:
        code, given = ("f", tensor.float_val) if tensor.dtype == _FLOAT else ("i", tensor.int_val)
        values = array.array(code, tensor.tensor_content).tolist() or list(given)
        default = 0
    # A tensor may omit repetitions of its last value.
    values += (values[-1:] or [default]) * (size - len(values))
    if len(shape) == 1:
        return values
    return [values[row * shape[1] : (row + 1) * shape[1]] for row in range(shape[0])]


def _to_entities(columns: Columns, expected: int) -> Iterator[list[Entity]]:
    names = ["entity_count", *(f"entity_{field}" for field in Entity._fields)]
    if "entity_corpus" not in columns:
        names.remove("entity_corpus")
    missing = [name for name in names if name not in columns]
    if missing:
        raise ServerError(f"expected the outputs of tag_text, got none named {missing[0]}")
    counts, *fields = (columns[name] for name in names)
    if len(counts) != expected:
        raise ServerError(f"expected answers to {expected} texts, got {len(counts)}")
    for row, count in enumerate(counts):
        yield [Entity(*values) for values in zip(*(field[row][:count] for field in fields))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Tags the lines of standard input; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--rest", help="the server's URL, such as http://localhost:8501")
    where.add_argument("--grpc", help="the server's host and port, such as localhost:8500")
    parser.add_argument("--model", default="tagger", help="the model's name there")
    parser.add_argument("--label", help="the version's label, such as stable")
    parser.add_argument("--signature", default=SIGNATURE, help="such as tag_text_<corpus>")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds a request")
    parser.add_argument("--retries", type=int, default=5, help="attempts after the first")
    parser.add_argument("--batch_size", type=int, default=32, help="texts a request")
    options = parser.parse_args(arguments)
    settings = (options.model, options.signature, options.label, options.timeout)
    transport = Rest(options.rest, *settings) if options.rest else Grpc(options.grpc, *settings)
    client = Client(transport, options.batch_size, options.retries)
    lines = (line.rstrip(b"\r\n").decode("utf-8", "replace") for line in sys.stdin.buffer)
    # One copy of each text is sent, the other is printed beside its answer.
    sent, kept = itertools.tee(lines)
    try:
        for text, entities in zip(kept, client.tag(sent)):
            found = [entity._asdict() for entity in entities]
            print(json.dumps({"text": text, "entities": found}, ensure_ascii=False), flush=True)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
