"""A run's configuration: what it refuses, and that config.json restores it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bioner_tf.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from bioner_tf.errors import BionerError, UsageError

DATA = DataConfig(data_dir="data", corpora=("a", "b"))


def every_setting_changed() -> RunConfig:
    """A valid run in which nothing has its default."""
    return RunConfig(
        DataConfig(
            data_dir="d",
            corpora=("a", "b", "c"),
            vectors="v.bin",
            train_on="train,devel",
            keep_fraction=0.25,
            types={"a": ("X", "Y"), "c": ("Z",)},
            max_vector_words=7,
            strict=True,
        ),
        ModelConfig(
            structure="adversarial",
            crf="pairwise",
            word_dim=1,
            char_dim=2,
            char_filters=3,
            char_width=4,
            max_characters=5,
            lstm_units=6,
            projection_units=7,
            precision="bfloat16",
            dropout_rate=0.25,
            dropout_places=("lstm_output",),
            word_dropout=0.125,
        ),
        TrainingConfig(
            epochs=1,
            batch_size=2,
            learning_rate=0.5,
            learning_rate_decay=0.5,
            rho=0.5,
            average_decay=0.5,
            clip_norm=1.5,
            alpha=0.5,
            beta=0.25,
            seed=3,
            distribute="mirrored",
        ),
    )


# These cannot be changed together: patience needs a devel split that is not trained on.
LEFT_OUT = {"patience"}


@pytest.mark.parametrize("part", ["data", "model", "training"])
def test_the_changed_run_below_changes_everything(part: str) -> None:
    default, changed = getattr(RunConfig(DATA), part), getattr(every_setting_changed(), part)
    same = {
        field.name
        for field in dataclasses.fields(default)
        if getattr(default, field.name) == getattr(changed, field.name)
    }
    assert same <= LEFT_OUT


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(DATA),
        every_setting_changed(),
        RunConfig(DATA, training=TrainingConfig(patience=4)),
        RunConfig(DataConfig("α β", ("ü",)), ModelConfig(structure="single_task")),
    ],
    ids=["defaults", "all changed", "patience", "not ASCII"],
)
def test_round_trip(tmp_path, config: RunConfig) -> None:
    path = tmp_path / "deep" / "config.json"
    config.save(path)
    assert RunConfig.load(path) == config
    # What is in the file is plain: lists for tuples, no class of ours.
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert hash(RunConfig.load(path).model) == hash(config.model)


def test_an_older_file_gets_the_defaults_of_settings_that_came_later() -> None:
    value = RunConfig(DATA).to_json()
    del value["training"]["patience"], value["model"]["crf"]
    assert RunConfig.from_json(value) == RunConfig(DATA)


def change(part, **items):
    value = RunConfig(DATA).to_json()
    value[part].update(items)
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (change("model", lstm_unit=3), "unknown setting 'lstm_unit'; ModelConfig has "),
        (json.dumps({"data": {}, "model": {}}), "expected the keys ['data', 'model', 'training']"),
        (json.dumps({**RunConfig(DATA).to_json(), "more": {}}), "expected the keys"),
        (change("data").replace('"corpora"', '"strict"'), "corpora"),
        (change("training", epochs=-1), "--epochs: expected a whole number of 0 or more, got -1"),
        ("{", "expected JSON"),
        ("", "expected JSON"),
        ("[1]", "expected the keys ['data', 'model', 'training'], got [1]"),
        ("3", "expected the keys"),
        (json.dumps({"data": [], "model": {}, "training": {}}), "of DataConfig by name, got []"),
        (change("data", types=["a"]), "'items'"),
    ],
    ids=[
        "unknown setting",
        "missing part",
        "unknown part",
        "missing setting",
        "wrong value",
        "half a file",
        "empty file",
        "a list",
        "a number",
        "a part that is a list",
        "types that are a list",
    ],
)
def test_a_file_that_is_no_configuration(tmp_path, text: str, told: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(BionerError) as error:
        RunConfig.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file(tmp_path) -> None:
    with pytest.raises(BionerError, match=r"config.json: no such file; expected a run's"):
        RunConfig.load(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("part", "flag", "value"),
    [
        (DataConfig, "corpora", ()),
        (DataConfig, "corpora", ("a", "a")),
        (DataConfig, "corpora", ("a", "")),
        (DataConfig, "corpora", ("..",)),
        (DataConfig, "corpora", ("a/b",)),
        (DataConfig, "corpora", ("a\0b",)),
        (DataConfig, "corpora", ("-a",)),
        (DataConfig, "train_on", "devel"),
        (DataConfig, "keep_fraction", 0.0),
        (DataConfig, "keep_fraction", 1.01),
        (DataConfig, "keep_fraction", float("nan")),
        (DataConfig, "max_vector_words", -1),
        (DataConfig, "types", {"c": ("X",)}),
        (ModelConfig, "structure", "mixture"),
        (ModelConfig, "crf", "none"),
        (ModelConfig, "word_dim", -1),
        (ModelConfig, "char_dim", 0),
        (ModelConfig, "char_filters", 0),
        (ModelConfig, "char_width", 0),
        (ModelConfig, "max_characters", 0),
        (ModelConfig, "lstm_units", -4),
        (ModelConfig, "projection_units", 0),
        (ModelConfig, "dropout_rate", 1.0),
        (ModelConfig, "dropout_rate", -0.1),
        (ModelConfig, "dropout_rate", float("nan")),
        (ModelConfig, "dropout_places", ("lstm_output", "crf")),
        (TrainingConfig, "epochs", -1),
        (TrainingConfig, "batch_size", 0),
        (TrainingConfig, "learning_rate", 0.0),
        (TrainingConfig, "learning_rate", float("nan")),
        (TrainingConfig, "learning_rate", float("inf")),
        (TrainingConfig, "learning_rate_decay", 0.0),
        (TrainingConfig, "learning_rate_decay", 1.5),
        (TrainingConfig, "rho", 1.0),
        (TrainingConfig, "clip_norm", 0.0),
        (TrainingConfig, "clip_norm", float("inf")),
        (TrainingConfig, "alpha", -1.0),
        (TrainingConfig, "alpha", float("inf")),
        (TrainingConfig, "beta", -1.0),
        (TrainingConfig, "beta", float("nan")),
        (TrainingConfig, "seed", -1),
        (TrainingConfig, "seed", 2**32),
        (TrainingConfig, "patience", -1),
        (TrainingConfig, "distribute", "all"),
    ],
)
def test_a_value_that_no_run_can_have_names_its_flag(part, flag: str, value) -> None:
    required = {"data_dir": "data", "corpora": ("a", "b")} if part is DataConfig else {}
    with pytest.raises(UsageError, match=f"^--{flag}: expected .*, got ") as error:
        part(**{**required, flag: value})
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("structure", ["fully_shared", "cross_sharing"])
def test_a_multi_task_structure_takes_two_corpora_or_more(structure: str) -> None:
    model = ModelConfig(structure=structure)
    assert RunConfig(DataConfig("d", ("a", "b", "c")), model)
    with pytest.raises(UsageError, match="--corpora: expected one corpus for single_task and two"):
        RunConfig(DataConfig("d", ("a",)), model)


def test_single_task_takes_one_corpus() -> None:
    model = ModelConfig(structure="single_task")
    assert RunConfig(DataConfig("d", ("a",)), model)
    with pytest.raises(UsageError, match=r"--corpora: .* got 'a,b for single_task'"):
        RunConfig(DATA, model)


def test_patience_wants_a_devel_split_that_is_not_trained_on() -> None:
    both = dataclasses.replace(DATA, train_on="train,devel")
    with pytest.raises(UsageError, match="--patience: "):
        RunConfig(both, training=TrainingConfig(patience=1))


def test_the_defaults_are_the_papers() -> None:
    # Paper, "Training details" and "Training settings"; 128 is its projected Bi-LSTM output.
    model, training = ModelConfig(), TrainingConfig()
    assert (model.char_dim, model.char_filters, model.char_width) == (30, 30, 3)
    assert (model.lstm_units, model.projection_units, model.dropout_rate) == (256, 128, 0.5)
    assert (training.epochs, training.batch_size, training.rho) == (80, 16, 0.95)
    assert (training.learning_rate, training.learning_rate_decay) == (0.001, 0.97)
    assert training.clip_norm == 5


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("data", "vectors", None),
        ("data", "corpora", [1]),
        ("data", "strict", 1),
        ("data", "keep_fraction", "1"),
        ("training", "epochs", True),
        ("training", "epochs", 1.5),
    ],
)
def test_values_of_a_wrong_type_are_refused(part, name, value):
    written = json.loads(json.dumps(RunConfig(DATA).to_json()))
    written[part][name] = value
    with pytest.raises(BionerError, match=f"{name}: expected "):
        RunConfig.from_json(written)
