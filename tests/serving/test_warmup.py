"""The warm-up requests, read with message classes that do not come from the code under test."""

from __future__ import annotations

import functools

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bioner_tf.serving.warmup import write_warmup


@functools.lru_cache(maxsize=1)
def prediction_log_class():
    """``tensorflow.serving.PredictionLog``, limited to the fields that the requests use."""
    message, tensor = "TYPE_MESSAGE", ".tensorflow.TensorProto"
    messages = {
        "ModelSpec": [("name", 1, "TYPE_STRING", ""), ("signature_name", 3, "TYPE_STRING", "")],
        "Entry": [("key", 1, "TYPE_STRING", ""), ("value", 2, message, tensor)],
        "PredictRequest": [
            ("model_spec", 1, message, "ModelSpec"),
            ("inputs", 2, message, "Entry"),
        ],
        "PredictLog": [("request", 1, message, "PredictRequest")],
        "PredictionLog": [("predict_log", 6, message, "PredictLog")],
    }
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", package="log", syntax="proto3")
    file.dependency.append("tensorflow/core/framework/tensor.proto")
    for name, fields in messages.items():
        described = file.message_type.add(name=name)
        for field_name, number, kind, type_name in fields:
            field = described.field.add(name=field_name, number=number)
            field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(kind)
            repeated = field_name == "inputs"
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if type_name:
                field.type_name = type_name if type_name[0] == "." else f".log.{type_name}"
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("log.PredictionLog"))


def test_there_is_a_warmup_request_for_every_signature(saved_model, signatures):
    """``test_c_programs`` checks that they run."""
    log_class = prediction_log_class()
    path = saved_model / "assets.extra" / "tf_serving_warmup_requests"
    asked = {}
    for record in tf.data.TFRecordDataset(str(path)):
        request = log_class.FromString(record.numpy()).predict_log.request
        inputs = {entry.key: tf.make_ndarray(entry.value) for entry in request.inputs}
        asked[request.model_spec.signature_name] = inputs
    assert set(asked) == set(signatures.model.signatures)
    for name, inputs in asked.items():
        if "tokens" in name:
            assert inputs["tokens"].shape == (1, inputs["lengths"][0])
        else:
            assert inputs["text"].shape == (1,)


def test_names_of_any_length_arrive(tmp_path):
    """A length of 128 is the first that takes two bytes."""
    names = [f"tag_text_{'x' * width}" for width in range(100, 135)]
    write_warmup(tmp_path / "requests", names)
    records = tf.data.TFRecordDataset(str(tmp_path / "requests"))
    specs = [
        prediction_log_class().FromString(record.numpy()).predict_log.request.model_spec
        for record in records
    ]
    assert [spec.signature_name for spec in specs] == names
    assert {spec.name for spec in specs} == {"tagger"}
