"""TensorFlow Serving in small, as its documentation describes it, around a loaded SavedModel.

REST: rows (``instances`` in, ``predictions`` out) and columns (``inputs`` in, ``outputs`` out), and
a model's status. gRPC: ``Predict``, with the messages of tensorflow-serving-api.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

MODEL = "tagger"


class Server:
    """Answers, unless ``failures`` (HTTP status codes) still holds something to say instead."""

    def __init__(self, signatures: Any):
        self.signatures = signatures
        self.failures: list[int] = []
        self.requests: list[str] = []

    def predict(self, signature: str, inputs: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
        if signature not in self.signatures:
            raise KeyError(f'Serving signature name: "{signature}" not found')
        outputs = self.signatures[signature](**inputs)
        return {name: value.numpy() for name, value in outputs.items()}

    def predict_json(self, body: dict[str, Any]) -> dict[str, Any]:
        signature = body.get("signature_name", "serving_default")
        if signature not in self.signatures:
            raise KeyError(f'Serving signature name: "{signature}" not found')
        specs = self.signatures[signature].structured_input_signature[1]
        by_rows = "instances" in body
        columns = body.get("inputs")
        if by_rows:
            rows = body["instances"]
            columns = {name: [row[name] for row in rows] for name in rows[0]}
        inputs = {name: tf.constant(columns[name], spec.dtype) for name, spec in specs.items()}
        outputs = {name: _to_json(v) for name, v in self.predict(signature, inputs).items()}
        if not by_rows:
            return {"outputs": outputs}
        sizes = {len(values) for values in outputs.values()}
        if sizes != {len(rows)}:  # as the server, which cuts every output along dimension 0
            raise ValueError(f"expected {len(rows)} rows of every output, got {sizes}")
        return {
            "predictions": [
                {name: values[row] for name, values in outputs.items()} for row in range(len(rows))
            ]
        }


def _to_json(values: np.ndarray) -> Any:
    if values.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(values).tolist()
    return values.tolist()


@contextlib.contextmanager
def serve_rest(server: Server) -> Iterator[int]:
    """Yields the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            status = {"version": "9", "state": "AVAILABLE", "status": {"error_code": "OK"}}
            self._answer(200, {"model_version_status": [status]})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.requests.append(self.path)
            if server.failures:
                self._answer(server.failures.pop(0), {"error": "not now"})
            elif not self.path.startswith(f"/v1/models/{MODEL}"):
                self._answer(404, {"error": f"no model at {self.path}"})
            else:
                try:
                    self._answer(200, server.predict_json(json.loads(body)))
                except (KeyError, ValueError) as error:
                    self._answer(400, {"error": str(error.args[0])})

        def _answer(self, code: int, content: Any) -> None:
            payload = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield listener.server_address[1]
        finally:
            listener.shutdown()
            thread.join()


@contextlib.contextmanager
def serve_grpc(server: Server) -> Iterator[int]:
    """Yields the port."""
    import grpc
    from tensorflow_serving.apis import predict_pb2

    def predict(request: Any, context: grpc.ServicerContext) -> Any:
        server.requests.append(request.model_spec.name)
        if server.failures:
            server.failures.pop(0)
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        inputs = {name: tf.constant(tf.make_ndarray(t)) for name, t in request.inputs.items()}
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        try:
            outputs = server.predict(request.model_spec.signature_name, inputs)
        except KeyError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error.args[0]))
        for name, values in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    method = grpc.unary_unary_rpc_method_handler(
        predict,
        request_deserializer=predict_pb2.PredictRequest.FromString,
        response_serializer=predict_pb2.PredictResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler(
        "tensorflow.serving.PredictionService", {"Predict": method}
    )
    listener = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    listener.add_generic_rpc_handlers((service,))
    port = listener.add_insecure_port("localhost:0")
    listener.start()
    try:
        yield port
    finally:
        listener.stop(None).wait()
