"""The export that all tests of this folder share, loaded by TensorFlow alone."""

from __future__ import annotations

import pytest
import tensorflow as tf

from bioner_tf.tagging.tagger import Tagger


@pytest.fixture(scope="package")
def saved_model(served_run):
    return served_run / "export" / "9"


@pytest.fixture(scope="package")
def loaded(saved_model):
    return Tagger(saved_model)


@pytest.fixture(scope="package")
def signatures(saved_model):
    model = tf.saved_model.load(str(saved_model))
    loaded = model.signatures

    def call(name, **inputs):
        outputs = loaded[name](**{key: tf.constant(value) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}

    call.model = model  # a signature does not keep its model alive
    return call
