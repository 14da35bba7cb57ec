"""Whole runs, from their configuration to report and export."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bioner_tf.config import STRUCTURES, RunConfig
from bioner_tf.corpora.corpus import read_corpus, read_split
from bioner_tf.errors import BionerError, UsageError
from bioner_tf.experiments.reports.compare import compare
from bioner_tf.files import lock_directory
from bioner_tf.runs.collection import read_run
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.history import History
from bioner_tf.scoring.metrics import score_tags
from bioner_tf.tagging.tagger import Tagger
from bioner_tf.training import run as runs
from bioner_tf.training.checkpoints import name_variables
from bioner_tf.training.inputs import Vocabularies
from bioner_tf.training.run import train
from bioner_tf.training.trained_run import chosen_epoch, export_run, find_export, load_run
from tests.helpers.finished_run import CORPORA, shared_run
from tests.helpers.synthetic_corpora import make_config, write_corpus

RATES = {"precision", "recall", "f1"}
COUNTS = {"support", "predicted", "correct"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The directory of a finished run; tests must not write to it."""
    return shared_run(tmp_path_factory)


@pytest.fixture(scope="module")
def config(finished):
    return RunConfig.load(finished / "config.json")


@pytest.fixture(scope="module")
def report(finished):
    return json.loads((finished / "report.json").read_text())


@pytest.fixture(scope="module")
def records(finished):
    return [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tagger(finished):
    return Tagger(finished)


@pytest.fixture
def small(tmp_path):
    """A configuration of one small corpus."""
    write_corpus(tmp_path / "data", "genes", sentences=6)
    return make_config(tmp_path / "data", ["genes"], "single_task", epochs=2)


@pytest.fixture
def no_export(monkeypatch):
    """Skips the export, which takes seconds."""
    monkeypatch.setattr(runs, "export_run", lambda *args, **kwargs: "nowhere")


def tree(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def read_predictions(path):
    """The sentences of a file of predictions: tokens, gold tags and predicted tags."""
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [tuple(zip(*(line.split("\t") for line in block.split("\n")))) for block in blocks]


def test_the_directory_is_the_whole_record(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "SHA256SUMS",
        "checkpoints",
        "config.json",
        "corpora.json",
        "export",
        "flags.txt",
        "learning_curve.png",
        "metrics.jsonl",
        "predictions",
        "report.json",
        "tensorboard",
        "vocabulary",
    ]
    assert (finished / "flags.txt").read_text() == "--epochs=3\n"
    assert list((finished / "tensorboard").iterdir())
    assert (finished / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in (finished / "export").iterdir()] == ["1"]
    assert sorted(path.name for path in (finished / "predictions").iterdir()) == [
        f"{corpus}.{split}.tsv" for corpus in CORPORA for split in ("devel", "test")
    ]
    assert not list(finished.rglob(".partial-*"))


def test_the_history_has_an_object_an_epoch(records, config):
    assert [record["epoch"] for record in records] == [1, 2, 3]
    for epoch, record in enumerate(records):
        assert record["learning_rate"] == pytest.approx(0.03 * 0.97**epoch, rel=1e-6)
        assert record["seconds"] > 0
        assert record["tokens"] > 0
        for corpus in CORPORA:
            assert record[f"{corpus}/loss"] == pytest.approx(record[f"{corpus}/task"])
            assert record[f"{corpus}/gradient_norm"] > 0
            assert 0 <= record[f"{corpus}/devel_f1"] <= 1
        assert {"mixed/devel_f1/Gene", "mixed/devel_f1/Drug"} <= set(record)
    # It learns: what follows would be easy for a run that predicts nothing.
    assert records[-1]["genes/loss"] < 0.8 * records[0]["genes/loss"]
    assert records[-1]["genes/devel_f1"] > 0.3


def test_the_report_has_its_form(report, config):
    outcome = {"epoch", "scores", "temperatures", "epochs"}
    assert set(report) == {"structure", "parameters", "data", *outcome}
    assert set(report["temperatures"]) == set(CORPORA)
    assert report["structure"] == "cross_sharing"
    assert report["epochs"] == 3
    parameters = report["parameters"]
    assert parameters["total"] == sum(parameters["parts"].values())
    assert parameters["rest"] == parameters["total"] - parameters["word_embedding"]
    assert set(report["scores"]) == set(report["data"]) == set(CORPORA)
    for corpus in CORPORA:
        assert set(report["scores"][corpus]) == {"devel", "test"}
        for scores in report["scores"][corpus].values():
            assert set(scores) == {*RATES, *COUNTS, "types", "macro", "token_accuracy"}
            assert set(scores["macro"]) == RATES
            for counts in scores["types"].values():
                assert set(counts) == RATES | COUNTS
            for rate in RATES:
                assert 0 <= scores[rate] <= 1
    assert report["data"]["genes"]["sentences"] == {"train": 16, "devel": 8, "test": 8}
    assert set(report["data"]["genes"]["coverage"])


@pytest.mark.parametrize("split", ["devel", "test"])
@pytest.mark.parametrize("corpus", CORPORA)
def test_scores_are_those_of_the_predictions(finished, config, report, corpus, split):
    predictions = read_predictions(finished / "predictions" / f"{corpus}.{split}.tsv")
    gold = read_corpus(config.data.data_dir, corpus).splits[split].sentences
    assert [row[:2] for row in predictions] == [(s.tokens, s.tags) for s in gold]
    scores = score_tags([row[1] for row in predictions], [row[2] for row in predictions])
    assert report["scores"][corpus][split] == scores.to_json()
    # Gold and predictions can be read as a corpus again, and nothing in them is illegal.
    path = finished / "predictions" / f"{corpus}.{split}.tsv"
    assert read_split(path, strict=True).repaired == 0


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_export_tags_as_the_run_did(finished, tagger, corpus):
    predictions = read_predictions(finished / "predictions" / f"{corpus}.test.tsv")
    tags, _ = tagger.tag_tokens([row[0] for row in predictions], corpus)
    assert tags == [list(row[2]) for row in predictions]
    assert {tag for sentence in tags for tag in sentence} > {"O"}


def test_the_export_tells_of_the_run(tagger, config, report):
    assert tagger.corpora == list(CORPORA)
    assert tagger.metadata["scores"] == report["scores"]
    assert tagger.metadata["epoch"] == report["epoch"]
    assert tagger.metadata["settings"]["model"]["lstm_units"] == config.model.lstm_units
    assert config.data.data_dir not in json.dumps(tagger.metadata)


def test_a_type_that_training_never_saw_counts_as_missed(report):
    for split in ("devel", "test"):
        scores = report["scores"]["genes"][split]
        unseen = scores["types"]["Rare"]
        assert unseen["support"] > 0
        assert (unseen["predicted"], unseen["recall"]) == (0, 0)
        assert scores["support"] == unseen["support"] + scores["types"]["Gene"]["support"]


def test_the_weights_are_those_of_the_best_epoch_on_devel(finished, records, report):
    scores = [record["genes/devel_f1"] for record in records]
    assert report["epoch"] == scores.index(max(scores)) + 1
    best = records[report["epoch"] - 1]
    for corpus in CORPORA:
        for name in RATES:
            assert report["scores"][corpus]["devel"][name] == best[f"{corpus}/devel_{name}"]


def test_a_loaded_run_has_the_weights_of_the_export(finished, report, tagger):
    loaded = load_run(finished)
    assert loaded.report == report
    saved = Vocabularies.load(finished / "vocabulary", loaded.config)
    assert loaded.vocabularies.has_same_entries(saved)
    prefix = str(finished / "export" / "1" / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    exported = [
        reader.get_tensor(name).tobytes()
        for name, shape in reader.get_variable_to_shape_map().items()
        if shape and reader.get_variable_to_dtype_map()[name] == tf.float32
    ]
    # Most lie one behind the other in one variable.
    weights = [variable.numpy().tobytes() for variable in loaded.tagger.variables()]
    assert len(weights) > 10
    for weight in weights:
        assert any(weight in other for other in exported)
    gaps = 64 * len(weights)
    assert sum(map(len, weights)) <= sum(map(len, exported)) < sum(map(len, weights)) + gaps


def test_an_export_is_known_by_its_weights_and_scores(finished, tmp_path):
    run = load_run(finished)
    exports = finished / "export"
    assert find_export(run, exports) == 1
    assert find_export(run, tmp_path) is None
    # Of another epoch, or one that bioner-export made before there were scores.
    for changes in ({"epoch": 7}, {"scores": {}}):
        other = dataclasses.replace(run, report={**run.report, **changes})
        assert find_export(other, exports) is None
    # A later version is of something else: the next number is due.
    shutil.copytree(exports, tmp_path / "export")
    (tmp_path / "export" / "2").mkdir()
    assert find_export(run, tmp_path / "export") is None


def test_the_precision_told_is_the_one_used(finished, tmp_path, monkeypatch):
    for supported, told in ((False, "float32"), (True, "bfloat16")):
        monkeypatch.setattr("bioner_tf.machine.supports_bfloat16", lambda answer=supported: answer)
        export_run(load_run(finished, "bfloat16"), tmp_path)
        settings = Tagger(tmp_path).metadata["settings"]
        assert settings["model"]["precision"] == told


def test_a_report_of_other_weights_is_not_taken_for_that_of_these(finished, tmp_path, report):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "SHA256SUMS").unlink()
    (tmp_path / "run" / "report.json").write_text(json.dumps({**report, "epoch": 9}))
    assert load_run(tmp_path / "run").report == {"epoch": report["epoch"]}


def test_a_run_that_has_ended_only_shows_its_scores(finished, config, capsys):
    before = tree(finished)
    train(config, finished, "--other_flags\n")
    output = capsys.readouterr().out
    assert "this run has ended" in output
    assert "genes, test, after epoch" in output
    assert tree(finished) == before


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        ("data", "corpora", ("mixed", "genes")),
        ("data", "train_on", "train,devel"),
        ("data", "keep_fraction", 0.5),
        ("data", "types", {"mixed": ("Drug",)}),
        ("data", "vectors", ""),
        ("model", "structure", "fully_shared"),
        ("model", "crf", "pairwise"),
        ("model", "lstm_units", 5),
        ("model", "word_dim", 5),
        ("model", "dropout_rate", 0.1),
        ("training", "batch_size", 5),
        ("training", "learning_rate", 0.02),
        ("training", "seed", 2),
        ("training", "patience", 2),
    ],
)
def test_another_setting_is_refused_by_name(finished, config, part, setting, value):
    before = tree(finished)
    changed = dataclasses.replace(getattr(config, part), **{setting: value})
    with pytest.raises(UsageError, match=f"this run was begun with --{setting}=") as error:
        train(dataclasses.replace(config, **{part: changed}), finished, "")
    assert "\n" not in str(error.value)
    assert tree(finished) == before


def test_another_spelling_of_a_path_is_the_same_run(finished, config, monkeypatch, capsys):
    monkeypatch.chdir(finished.parent)
    for data_dir in (f"{config.data.data_dir}/", "data", "./data/"):
        data = dataclasses.replace(config.data, data_dir=data_dir)
        train(dataclasses.replace(config, data=data), finished, "")
        assert "this run has ended" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["{", "[]", '{"epoch": "one"}', "\xff"])
def test_a_damaged_history_is_one_line(finished, tmp_path, damage):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    path.write_bytes(damage.encode("latin-1") + b"\n" + path.read_bytes())
    with pytest.raises(BionerError, match=r"metrics.jsonl") as error:
        load_run(tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["report.json", "corpora.json", "config.json"])
@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", "\xff"])
def test_a_damaged_file_is_one_line(moved, name, damage):
    root, config = moved
    (root / "run" / name).write_bytes(damage.encode("latin-1"))
    with pytest.raises(BionerError, match=name) as error:
        train(config, root / "run", "")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("epochs", [0, 2])
def test_fewer_epochs_than_were_trained_are_refused(finished, config, epochs):
    before = tree(finished)
    training = dataclasses.replace(config.training, epochs=epochs)
    with pytest.raises(UsageError, match=f"trained 3 epochs already, got --epochs={epochs}"):
        train(dataclasses.replace(config, training=training), finished, "")
    assert tree(finished) == before


@pytest.fixture
def moved(finished, config, tmp_path):
    """A copy of the finished run and its data, for tests that continue it."""
    root = tmp_path / "shared"
    shutil.copytree(finished.parent, root)
    data = dataclasses.replace(
        config.data, data_dir=str(root / "data"), vectors=str(root / "vectors.txt")
    )
    moved = RunConfig(data, config.model, dataclasses.replace(config.training, epochs=4))
    moved.save(root / "run" / "config.json")
    # As in the runs of earlier versions, so that other checks can find what is wrong.
    (root / "run" / "SHA256SUMS").unlink()
    return root, moved


def test_a_run_from_before_variables_had_names_goes_on_to_the_same_weights(
    tmp_path, monkeypatch, no_export
):
    """The data were made before; expected-epoch-0002 is what the code of that time went on to."""
    before = Path(__file__).parent / "data" / "run_before_names"
    shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    config = RunConfig.load("run/config.json")

    # Weights only, as for an export.
    old = tf.train.load_checkpoint("run/checkpoints/epoch-0001/state")
    for number, variable in enumerate(load_run("run").tagger.variables()):
        value = old.get_tensor(f"weights/{number}/.ATTRIBUTES/VARIABLE_VALUE")
        np.testing.assert_array_equal(variable, value)

    training = dataclasses.replace(config.training, epochs=2)
    train(dataclasses.replace(config, training=training), "run", "")
    new = tf.train.load_checkpoint("run/checkpoints/epoch-0002/state")
    expected = tf.train.load_checkpoint("expected-epoch-0002/state")
    weights = name_variables(load_run("run").tagger)
    assert {"shared.bilstm.forward.kernel", "private.drugs.projection.bias"} < set(weights)
    assert {"word_embedding.embeddings", "crf.genes.bias", "gate.genes.kernel"} < set(weights)
    for number, name in enumerate(weights):
        for ours, theirs in (
            (name, f"weights/{number}"),
            (f"optimizer.velocity.{name}", f"optimizer/_variables/{number + 1}"),
        ):
            value = expected.get_tensor(f"{theirs}/.ATTRIBUTES/VARIABLE_VALUE")
            # Equal to the bit through bioner-train on one machine; threads may round otherwise.
            np.testing.assert_allclose(new.get_tensor(ours), value, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("split", ["train", "test"])
def test_another_tag_in_a_corpus_is_refused(moved, split):
    root, config = moved
    path = root / "data" / "mixed" / f"{split}.tsv"
    # The vocabularies stay the same.
    path.write_text(path.read_text().replace("\tB-Gene", "\tO", 1))
    before = tree(root)
    with pytest.raises(BionerError, match=f"{split}.tsv: expected the sentences and tags that"):
        train(config, root / "run", "")
    assert tree(root) == before


def test_other_vectors_under_the_same_name_are_refused(moved):
    root, config = moved
    path = root / "vectors.txt"
    path.write_text(path.read_text(encoding="utf-8") + "novelty .1 .2 .3\n", encoding="utf-8")
    before = tree(root)
    with pytest.raises(BionerError, match="expected the vectors that this run was begun with"):
        train(config, root / "run", "")
    assert tree(root) == before


def test_a_second_writer_is_told_who_holds_the_run(small, tmp_path):
    before = "process 17 on anywhere, since yesterday\n"
    with lock_directory(tmp_path / "run", "train.lock"):
        (tmp_path / "run" / "train.lock").write_text(before)
        message = "process 17 on anywhere, since yesterday; wait until it has ended"
        with pytest.raises(BionerError, match=message):
            train(small, tmp_path / "run", "")
        assert tree(tmp_path / "run") == {"train.lock": before.encode()}


def test_a_lost_history_is_told_of(finished, config, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished, run_dir)
    (run_dir / "report.json").unlink()
    (run_dir / "SHA256SUMS").unlink()
    lines = (run_dir / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run_dir / "metrics.jsonl").write_text("".join(lines[:2]))
    for command in (lambda: train(config, run_dir, ""), lambda: load_run(run_dir)):
        with pytest.raises(BionerError, match=r"metrics.jsonl: expected a line for each of the 3"):
            command()


CHECKED = [
    "config.json",
    "corpora.json",
    "metrics.jsonl",
    "report.json",
    *(f"predictions/{corpus}.{split}.tsv" for corpus in CORPORA for split in ("devel", "test")),
    *(f"vocabulary/{name}.txt" for name in ("words", "characters", "tags.genes", "tags.mixed")),
]


@pytest.mark.parametrize("name", CHECKED)
def test_a_changed_letter_is_found_and_named(finished, config, tmp_path, name):
    run_dir = tmp_path / "run"
    shutil.copytree(finished, run_dir)
    path = run_dir / name
    content = path.read_bytes()
    place = max(i for i, byte in enumerate(content) if chr(byte).isalnum())
    other = b"8" if content[place] == ord("7") else b"7"
    path.write_bytes(content[:place] + other + content[place + 1 :])
    commands = [lambda: train(config, run_dir, ""), lambda: load_run(run_dir)]
    if name in ("config.json", "corpora.json", "metrics.jsonl", "report.json"):
        commands.append(lambda: read_run(run_dir, "run"))
    if name == "predictions/genes.test.tsv":
        commands.append(lambda: compare(str(run_dir), str(run_dir)))
    for problem in ("expected SHA-256", "missing"):
        before = tree(run_dir)
        for command in commands:
            with pytest.raises(BionerError, match=f"{run_dir / name}: {problem}") as error:
                command()
            assert "\n" not in str(error.value)
            assert "remove its line from SHA256SUMS" in str(error.value)
        assert tree(run_dir) == before
        path.unlink(missing_ok=True)


def test_a_change_that_is_meant_is_possible(finished, config, tmp_path, capsys):
    run_dir = tmp_path / "run"
    shutil.copytree(finished, run_dir)
    sums = run_dir / "SHA256SUMS"
    assert sorted(line.split("  ")[1] for line in sums.read_text().splitlines()) == sorted(CHECKED)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=run_dir, check=True)
    path = run_dir / "config.json"
    path.write_text(path.read_text() + " ")
    lines = [line for line in sums.read_text().splitlines() if not line.endswith("config.json")]
    sums.write_text("".join(f"{line}\n" for line in lines))
    train(config, run_dir, "")
    assert "this run has ended" in capsys.readouterr().out


def test_what_a_killed_run_left_goes_with_its_next_start(config, moved):
    root, more_epochs = moved
    run_dir = root / "run"
    same_epochs = dataclasses.replace(more_epochs, training=config.training)
    same_epochs.save(run_dir / "config.json")
    (run_dir / "report.json").unlink()
    kept = {path.name for path in (run_dir / "checkpoints").iterdir()}
    # Killed between saving and pruning, and while it wrote files.
    [lost] = {f"epoch-{n:04d}" for n in (1, 2, 3)} - kept or {"epoch-0000"}
    shutil.copytree(run_dir / "checkpoints" / "epoch-0003", run_dir / "checkpoints" / lost)
    leftovers = [run_dir / ".partial-1", run_dir / "vocabulary" / ".partial-2"]
    for path in leftovers:
        path.write_text("half")
    other = run_dir.parent / ".partial-3"
    other.write_text("of another run")
    train(same_epochs, run_dir, "")
    assert {path.name for path in (run_dir / "checkpoints").iterdir()} == kept
    assert not any(path.exists() for path in leftovers)
    assert other.exists()


def test_a_devel_split_without_entities_is_told(small, caplog, no_export):
    path = Path(small.data.data_dir) / small.data.corpora[0] / "devel.tsv"
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line.split(chr(9))[0]}\tO\n" if line else "\n" for line in lines))
    train(small, path.parents[2] / "run", "")
    told = [record.getMessage() for record in caplog.records if "expected entities" in record.msg]
    assert [message.startswith(f"{path}: ") for message in told] == [True]


def test_no_epochs_build_and_report_and_train_nothing(small, tmp_path, capsys):
    config = dataclasses.replace(small, training=dataclasses.replace(small.training, epochs=0))
    directory = tmp_path / "run"
    train(config, directory, "")
    report = json.loads((directory / "report.json").read_text())
    assert set(report) == {"structure", "parameters", "data", "epochs"}
    assert f"{report['parameters']['total']:,}" in capsys.readouterr().out
    assert not (directory / "checkpoints").exists()
    assert not (directory / "export").exists()
    with pytest.raises(BionerError, match="expected a checkpoint, got none; train first"):
        load_run(directory)
    train(config, directory, "")
    assert "this run has ended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("train_on", "scores", "chosen"),
    [
        ("train", [0.1, 0.3, 0.3], 2),
        ("train", [0.0, 0.0], 1),
        ("train,devel", [None, None, None], 3),
    ],
)
def test_the_epoch_that_a_run_is_for(small, tmp_path, train_on, scores, chosen):
    data = dataclasses.replace(small.data, train_on=train_on)
    history = History(tmp_path / "metrics.jsonl", 0)
    for epoch, score in enumerate(scores, start=1):
        history.append({"epoch": epoch, **({} if score is None else {"genes/devel_f1": score})})
    assert chosen_epoch(dataclasses.replace(small, data=data), history) == chosen


@pytest.mark.slow
def test_where_devel_is_trained_on_the_last_epoch_counts(small, tmp_path, no_export, capsys):
    data = dataclasses.replace(small.data, train_on="train,devel")
    train(dataclasses.replace(small, data=data), tmp_path / "run", "")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["epoch"] == 2
    assert set(report["scores"]["genes"]) == {"test"}
    assert report["data"]["genes"]["training_sentences"] == 6 + 3
    assert [path.name for path in (tmp_path / "run" / "predictions").iterdir()] == [
        "genes.test.tsv"
    ]
    assert "devel" not in (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "genes, test, after epoch 2" in capsys.readouterr().out


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_saved(
    small, tmp_path, no_export
):
    training = dataclasses.replace(small.training, learning_rate=1e38, learning_rate_decay=1.0)
    with pytest.raises(BionerError, match=r"^epoch 1, turn 2: expected finite numbers"):
        train(dataclasses.replace(small, training=training), tmp_path / "run", "")
    directory = RunDirectory(tmp_path / "run")
    assert not directory.report.exists()
    assert not directory.checkpoints.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure", "crf"),
    [*((structure, "static") for structure in STRUCTURES), ("cross_sharing", "pairwise")],
)
def test_every_structure_trains_exports_and_tags(tmp_path, structure, crf):
    number = {"single_task": 1, "cross_sharing": 3}.get(structure, 2)
    corpora = ["genes", "mixed", "rare"][:number]
    for name, types, scheme in (
        ("genes", ("Gene",), "IOB2"),
        ("mixed", ("Gene", "Drug"), "IOBES"),
        ("rare", ("Cell",), "IOB2"),
    ):
        write_corpus(tmp_path / "data", name, types, scheme)
    config = make_config(tmp_path / "data", corpora, structure, crf=crf, epochs=1)
    train(config, tmp_path / "run", "")
    tagger = Tagger(tmp_path / "run")
    for corpus in corpora:
        path = tmp_path / "run" / "predictions" / f"{corpus}.test.tsv"
        predictions = read_predictions(path)
        tags, scores = tagger.tag_tokens([row[0] for row in predictions], corpus)
        assert tags == [list(row[2]) for row in predictions]
        assert all(0 <= score <= 1 for sentence in scores for score in sentence)
    (entities,) = tagger.tag_texts(["Geneα binds to the cells ."])
    assert {entity.type for entity in entities} <= {"Gene"}


@pytest.mark.slow
def test_a_corpus_without_a_single_entity(tmp_path):
    write_corpus(tmp_path / "data", "genes", sentences=6)
    write_corpus(tmp_path / "data", "rare", types=("Cell",), sentences=6)
    path = tmp_path / "data" / "rare" / "train.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.split("\t")[0] + "\tO" if line else "" for line in lines))
    config = make_config(tmp_path / "data", ["genes", "rare"], epochs=1)
    train(config, tmp_path / "run", "")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["data"]["rare"]["tags"] == ["O"]
    assert report["scores"]["rare"]["test"]["recall"] == 0
    tags, _ = Tagger(tmp_path / "run").tag_tokens([["Cellα", "binds"]], "rare")
    assert tags == [["O", "O"]]


@pytest.mark.slow
def test_an_early_end_keeps_the_best_epoch(tmp_path, no_export):
    write_corpus(tmp_path / "data", "genes", sentences=6)
    # So low a rate changes no tag: no epoch is better than the first.
    config = make_config(
        tmp_path / "data", ["genes"], "single_task", epochs=9, patience=2, learning_rate=1e-12
    )
    train(config, tmp_path / "run", "")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["epoch"], report["epochs"]) == (1, 9)
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 3
