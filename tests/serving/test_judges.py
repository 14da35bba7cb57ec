"""Slow checks of an export: other loaders, newer TensorFlow, large texts, long runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bioner_tf.tagging.tagger import Tagger
from tests.helpers import c_programs, random_tagger

pytestmark = pytest.mark.slow

NEWEST_TENSORFLOW = "tensorflow-cpu==2.21.*"
SOAK_SECONDS = float(os.environ.get("BIONER_SOAK_SECONDS", "600"))

# The memory that an answer may need in addition to the loaded model, for each character.
BYTES_A_CHARACTER = 400
MEGABYTE = 1_000_000
LARGE_TEXTS = {
    "sentences": "The BRCA1 gene binds p53 in 12 patients. ",
    "one-token": "a",
    "punctuation": "-",
    "letters": "a ",
    "emoji": "👩‍👩",
}


def quiet_environment():
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def test_saved_model_cli_runs_it(saved_model):
    command = [Path(sys.executable).parent / "saved_model_cli", "run", "--dir", saved_model]
    command += ["--tag_set", "serve", "--signature_def", "serving_default"]
    done = subprocess.run(
        [*command, "--input_exprs", "text=[b'The BRCA1 gene binds p53.']"],
        capture_output=True,
        text=True,
        env=quiet_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [entities] = Tagger(saved_model).tag_texts(["The BRCA1 gene binds p53."])
    assert entities
    assert f"Result for output key entity_count:\n[{len(entities)}]" in done.stdout


PROGRAM = """
import json, sys
import tensorflow as tf
assert not {"bioner_tf", "tensorflow_addons"} & set(sys.modules)
model = tf.saved_model.load(sys.argv[1])
texts = tf.constant([text.encode() for text in json.load(sys.stdin)])
answers = {"version": tf.__version__}
for name, tag in model.signatures.items():
    if "tokens" not in name:
        found = {key: value.numpy() for key, value in tag(text=texts).items()}
        decode = lambda value: value.decode() if isinstance(value, bytes) else value
        answers[name] = {
            key: [[decode(v) for v in row] for row in value.reshape(len(texts), -1).tolist()]
            for key, value in found.items()
        }
print(json.dumps(answers))
"""


def answers_of(python, saved_model):
    done = subprocess.run(
        [python, "-I", "-c", PROGRAM, saved_model],
        input=json.dumps(random_tagger.NASTY_TEXTS),
        capture_output=True,
        text=True,
        env=quiet_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_newest_tensorflow_answers_the_same(saved_model, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    install = [tmp_path / "bin" / "pip", "install", "--quiet", NEWEST_TENSORFLOW]
    subprocess.run(install, check=True)
    found = answers_of(tmp_path / "bin" / "python", saved_model)
    expected = answers_of(sys.executable, saved_model)
    assert found.pop("version") > expected.pop("version")
    for name, outputs in expected.items():
        scores = outputs.pop("entity_score")
        for row, other in zip(scores, found[name].pop("entity_score")):
            assert other == pytest.approx(row, abs=1e-5)
        assert found[name] == outputs


def tag_in_process(saved_model, text):
    """Runs the C program on a text; returns its seconds and its peak resident memory in bytes."""
    started = time.monotonic()
    process = subprocess.Popen(
        [c_programs.build() / "bioner_tag", saved_model],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=quiet_environment(),
    )
    process.stdin.write(text.encode() + b"\n")
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.monotonic() - started, usage.ru_maxrss * 1024


@pytest.mark.parametrize("name", LARGE_TEXTS)
def test_large_texts_take_bounded_memory_and_time(saved_model, name):
    piece = LARGE_TEXTS[name]
    idle_seconds, idle = tag_in_process(saved_model, "gene")
    large_seconds, large = tag_in_process(saved_model, piece * (MEGABYTE // len(piece)))
    assert large - idle < BYTES_A_CHARACTER * MEGABYTE
    # Time grows linearly with the text; the margin allows for a busy machine.
    half_seconds, _ = tag_in_process(saved_model, piece * (MEGABYTE // 2 // len(piece)))
    assert large_seconds - idle_seconds < 4 * max(half_seconds - idle_seconds, 1)


def test_a_hundred_thousand_newlines_are_answered(saved_model):
    text = "The gene." + "\n" * 100_000 + "BRCA1 binds."
    [entities] = Tagger(saved_model).tag_texts([text])
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)


def test_memory_stays_the_same_in_a_long_run(saved_model):
    periods = 10
    texts = "".join(f"{text}\n" for text in random_tagger.NASTY_TEXTS if "\n" not in text).encode()
    seconds = SOAK_SECONDS / periods
    _, *found = c_programs.run("bioner_bench", saved_model, 2, seconds, periods, stdin=texts)
    megabytes = [period["resident_megabytes"] for period in found]
    # The first third is warm-up: TensorFlow keeps memory that it has allocated once.
    assert max(megabytes[periods // 3 :]) < 1.05 * megabytes[periods // 3]
