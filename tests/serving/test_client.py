"""The client of export/ against a small imitation of TensorFlow Serving, by REST and by gRPC."""

from __future__ import annotations

import importlib.util
import io
import json
import socket
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import fake_server, random_tagger

TEXTS = ["The BRCA1 gene binds p53.", "", *(t for t in random_tagger.NASTY_TEXTS if len(t) < 500)]


@pytest.fixture(scope="module")
def client_module(repository):
    spec = importlib.util.spec_from_file_location(
        "bioner_client", repository / "export" / "bioner_client.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module._FIRST_WAIT_SECONDS = 0.001
    return module


@pytest.fixture
def server(signatures):
    return fake_server.Server(signatures.model.signatures)


@pytest.fixture
def rest_port(server):
    with fake_server.serve_rest(server) as port:
        yield port


@pytest.fixture(params=["rest", "grpc"])
def transport(request, server, client_module):
    """A function that makes a transport to the server; arguments replace the defaults."""
    if request.param == "grpc":
        pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
        serve, make = fake_server.serve_grpc, client_module.Grpc
    else:
        serve, make = fake_server.serve_rest, client_module.Rest
    with serve(server) as port:
        address = f"localhost:{port}" if request.param == "grpc" else f"http://localhost:{port}/"
        yield lambda *arguments, **settings: make(address, *(arguments or ["tagger"]), **settings)


def as_tuples(rows):
    return [[(*e[:4], pytest.approx(e[4], abs=1e-5), e.corpus) for e in row] for row in rows]


def test_texts_are_tagged_as_in_python(client_module, transport, server, loaded):
    client = client_module.Client(transport(), batch_size=3)
    assert [list(map(tuple, row)) for row in client.tag(TEXTS)] == as_tuples(
        loaded.tag_texts(TEXTS)
    )
    assert len(server.requests) == -(-len(TEXTS) // 3)


def test_lone_surrogates_are_sent_as_question_marks(client_module, transport, loaded):
    text = "\ud800 the BRCA1 \udfff gene"
    [found] = client_module.Client(transport()).tag([text])
    assert [e[:3] for e in found] == [e[:3] for e in loaded.tag_texts([text])[0]]
    assert all("\ud800" not in entity.text for entity in found)


def test_a_request_by_rest_is_utf8(client_module):
    assert (
        client_module._without_surrogates("\ud800 gene \udfff \U0001d6fc") == "? gene ? \U0001d6fc"
    )


def test_another_corpus_and_a_label(client_module, transport, server, loaded):
    signature = loaded.metadata["corpora"][1]["signatures"]["text"]
    client = client_module.Client(transport("tagger", signature, "stable"))
    expected = loaded.tag_texts(TEXTS[:1], random_tagger.AUXILIARY)
    # A signature of one corpus does not say which it is.
    expected = [[entity._replace(corpus="") for entity in row] for row in expected]
    assert [list(map(tuple, row)) for row in client.tag(TEXTS[:1])] == as_tuples(expected)
    assert server.requests in (["tagger"], ["/v1/models/tagger/labels/stable:predict"])


def test_busy_servers_are_asked_again(client_module, transport, server):
    server.failures = [503, 429]
    client = client_module.Client(transport(), retries=2)
    assert len(list(client.tag(["gene"]))) == 1
    assert len(server.requests) == 3
    server.failures = [503] * 3
    with pytest.raises(client_module.ServerUnavailableError, match="not now"):
        list(client.tag(["gene"]))


def test_refusals_are_reported_without_a_retry(client_module, transport, server):
    client = client_module.Client(transport("tagger", "tag_text_unknown"))
    with pytest.raises(client_module.ServerError, match='name: "tag_text_unknown" not found'):
        list(client.tag(["gene"]))
    assert len(server.requests) == 1


def test_a_missing_server_is_reported(client_module):
    transport = client_module.Rest("http://localhost:1", "tagger")
    with pytest.raises(client_module.ServerUnavailableError, match="refused"):
        list(client_module.Client(transport, retries=1).tag(["gene"]))


@pytest.mark.parametrize("kind", ["Rest", "Grpc"])
def test_a_server_that_does_not_answer_in_time_is_asked_again(client_module, kind):
    if kind == "Grpc":
        pytest.importorskip("grpc", reason="grpcio is not installed")
    # Accepts connections, but never answers.
    with socket.create_server(("localhost", 0)) as silent:
        address = f"localhost:{silent.getsockname()[1]}"
        url = f"http://{address}" if kind == "Rest" else address
        transport = getattr(client_module, kind)(url, "tagger", timeout=0.1)
        asked = []
        counting = types.SimpleNamespace(
            predict=lambda texts: asked.append(texts) or transport.predict(texts)
        )
        with pytest.raises(client_module.ServerUnavailableError, match=address):
            list(client_module.Client(counting, retries=2).tag(["gene"]))
    assert asked == [["gene"]] * 3


def test_waits_double_up_to_a_limit(client_module, monkeypatch):
    waits = []
    monkeypatch.setattr(client_module.time, "sleep", waits.append)
    monkeypatch.setattr(client_module, "_FIRST_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(client_module, "_LONGEST_WAIT_SECONDS", 5.0)

    def fail(texts):
        raise client_module.ServerUnavailableError("not now")

    transport = types.SimpleNamespace(predict=fail)
    with pytest.raises(client_module.ServerUnavailableError):
        list(client_module.Client(transport, retries=5).tag(["gene"]))
    assert len(waits) == 5
    for wait, longest in zip(waits, (1, 2, 4, 5, 5)):
        assert longest / 2 <= wait <= longest


def test_answers_of_another_service_are_reported(client_module):
    transport = types.SimpleNamespace(predict=lambda texts: {"scores": [1.0]})
    with pytest.raises(client_module.ServerError, match="none named entity_count"):
        list(client_module.Client(transport).tag(["gene"]))


@pytest.mark.parametrize("kind", ["text", "tokens"])
def test_rows_and_columns_hold_the_same(repository, server, rest_port, kind):
    """The example requests of ``export/requests`` in both forms, sent by HTTP."""
    import urllib.request

    answers = {}
    for form in ("rows", "columns"):
        body = (repository / "export" / "requests" / f"{kind}.{form}.json").read_bytes()
        url = f"http://localhost:{rest_port}/v1/models/tagger:predict"
        with urllib.request.urlopen(urllib.request.Request(url, body)) as response:
            answers[form] = json.load(response)
    rows, columns = answers["rows"]["predictions"], answers["columns"]["outputs"]
    assert len(rows) == 2
    for number, row in enumerate(rows):
        assert row == {name: values[number] for name, values in columns.items()}


def test_main_reads_lines_and_prints_objects(client_module, rest_port, server, monkeypatch, capsys):
    stdin = types.SimpleNamespace(buffer=io.BytesIO("the é gene\r\n\nBRCA1\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert client_module.main([f"--rest=http://localhost:{rest_port}", "--batch_size=2"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["text"] for answer in printed] == ["the é gene", "", "BRCA1"]
    stdin.buffer = io.BytesIO(b"x\n")
    server.failures = [400]
    assert client_module.main([f"--rest=http://localhost:{rest_port}"]) == 1
    assert "error: http://localhost" in capsys.readouterr().err


def test_tensors_of_every_encoding_are_read(client_module):
    """Tensors written by TensorFlow: as fields, as packed bytes, with omitted repeated values."""
    read = client_module._message_class("PredictResponse")()
    for values in (
        np.array([[1, -2], [3, 4]], np.int32),
        np.array([7, 7, 7], np.int32),
        np.zeros([2, 3], np.float32),
        np.array([[b"a", b""], [b"\xc3\xa9", b""]], object),
        np.zeros([0, 1], np.int32),
    ):
        proto = tf.make_tensor_proto(values)
        packed = type(proto).FromString(proto.SerializeToString())
        if len(proto.int_val) > 1 and len(set(proto.int_val)) == 1:
            del packed.int_val[1:]
        for form in (proto, packed):
            read.outputs["x"].ParseFromString(form.SerializeToString())
            decode = np.vectorize(bytes.decode, otypes=[object])
            expected = decode(values) if values.dtype == object else values
            assert client_module._to_rows(read.outputs["x"]) == expected.tolist()
