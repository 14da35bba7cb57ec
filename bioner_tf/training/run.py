"""A training run from its configuration to its report; the run directory is the whole record."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioner_tf.config import RunConfig
from bioner_tf.corpora.corpus import write_predictions
from bioner_tf.errors import BionerError
from bioner_tf.files import (
    PathLike,
    lock_directory,
    write_json_atomically,
    write_text_atomically,
)
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.runs.checksums import check_files, rewrite_files
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.history import History
from bioner_tf.runs.report import read_report
from bioner_tf.scoring.metrics import Scores, format_scores, score_tags
from bioner_tf.serving.versions import lock_exports
from bioner_tf.training.continuation import require_same_data, require_same_run
from bioner_tf.training.distribution import (
    Distribution,
    distribute,
    is_chief,
    reported_loss_of_worker,
    require_deterministic_operations,
)
from bioner_tf.training.evaluation import Decoder
from bioner_tf.training.fitting import ScoreDevel, fit
from bioner_tf.training.inputs import TrainingInputs, load_inputs
from bioner_tf.training.learning_curve import draw_learning_curve
from bioner_tf.training.temperature import fit_temperatures
from bioner_tf.training.trained_run import TrainedRun, export_run, find_export


def train(config: RunConfig, run_dir: PathLike, flags_text: str) -> None:
    """Trains or continues a run, then scores the test splits, exports and reports.

    Args:
        config: The run.
        run_dir: Its directory; the run continues from what an interrupted one left there.
        flags_text: The command's flags, for the record.

    Raises:
        UsageError: The directory holds a run with other settings.
        BionerError: Something cannot be read or written.
    """
    directory = RunDirectory(Path(run_dir))
    if directory.root.is_file():
        raise BionerError(f"{run_dir}: expected a directory, got a file; give another --run_dir")
    # Of several workers only the chief writes.
    with contextlib.ExitStack() as stack:
        if is_chief(config.training.distribute):
            stack.enter_context(lock_directory(directory.root, "train.lock"))
        _train(config, directory, flags_text)


def _train(config: RunConfig, directory: RunDirectory, flags_text: str) -> None:
    check_files(directory.root)
    require_same_run(directory, config)
    report = read_report(directory.report)
    if report.get("epochs") == config.training.epochs:
        print(f"{directory.root}: this run has ended\n\n{format_parameters(report['parameters'])}")
        _print_scores(report)
        return

    require_deterministic_operations()
    distribution = distribute(config.training.distribute)
    inputs = load_inputs(config)
    # Once more, now that the width of the word vectors is known.
    require_same_run(directory, inputs.config)
    require_same_data(directory, inputs)
    with reported_loss_of_worker():
        if distribution.is_chief:
            _run(inputs, directory, distribution, flags_text)
        else:
            tagger, decoder = _build(inputs, distribution)
            fit(inputs, tagger, _devel_scorer(inputs, decoder), directory, distribution)


def _run(
    inputs: TrainingInputs, directory: RunDirectory, distribution: Distribution, flags_text: str
) -> None:
    config = inputs.config
    directory.remove_leftovers()
    tagger, decoder = _build(inputs, distribution)
    write_text_atomically(directory.flags, flags_text)
    with rewrite_files(directory.root, directory.config, directory.corpora, directory.vocabulary):
        config.save(directory.config)
        write_json_atomically(directory.corpora, inputs.fingerprints())
        inputs.vocabularies.save(directory.vocabulary)
    report = {
        "structure": config.model.structure,
        "parameters": tagger.count_parameters(),
        "data": inputs.describe(),
    }
    for source in inputs.vocabularies.sources:
        if summary := source.summary():
            print(f"{summary}\n")
    print(format_parameters(report["parameters"]), end="\n\n", flush=True)
    if config.training.epochs > 0:
        print("building the graphs", flush=True)
        decoder.build(inputs.forms)
        score_devel = _devel_scorer(inputs, decoder)
        report["epoch"] = fit(inputs, tagger, score_devel, directory, distribution)
        history = History(directory.metrics, config.training.epochs)
        if not draw_learning_curve(directory.learning_curve, history.records, tagger.corpora):
            print("no learning curve: pip install 'bioner_tf[plot]' brings what draws it")
        print(f"scoring {' and '.join(_splits_to_score(config))}", flush=True)
        with rewrite_files(directory.root, directory.all_predictions):
            report["scores"] = _final_scores(inputs, decoder, directory)
        if config.data.train_on == "train":
            print("fitting the temperatures of the scores on devel", flush=True)
            report["temperatures"] = _fit_temperatures(inputs, tagger)
        run = TrainedRun(directory, config, inputs.vocabularies, tagger, report)
        # Reuse the version that this run already exported; never overwrite other weights.
        with lock_exports(directory.exports):
            version = find_export(run, directory.exports)
            print("exporting the tagger", flush=True)
            print(f"exported to {export_run(run, directory.exports, version)}")
    # Written last: marks the run as finished.
    report["epochs"] = config.training.epochs
    with rewrite_files(directory.root, directory.report):
        write_json_atomically(directory.report, report)
    _print_scores(report)


def _build(inputs: TrainingInputs, distribution: Distribution) -> tuple[MultiTaskTagger, Decoder]:
    vocabularies = inputs.vocabularies
    with distribution.strategy.scope():
        tagger = build_tagger(
            inputs.config.model,
            vocabularies.sources,
            vocabularies.tags,
            inputs.config.training.seed,
        )
    return tagger, Decoder(tagger, vocabularies.tags)


def _devel_scorer(inputs: TrainingInputs, decoder: Decoder) -> ScoreDevel:
    return functools.partial(_scores, inputs, decoder, "devel")


def _print_scores(report: Mapping[str, Any]) -> None:
    for corpus, splits in report.get("scores", {}).items():
        table = format_scores(splits["test"])
        print(f"\n{corpus}, test, after epoch {report['epoch']}\n{table}")


def _scores(
    inputs: TrainingInputs,
    decoder: Decoder,
    split: str,
    directory: RunDirectory | None = None,
) -> dict[str, Scores]:
    """Scores a split of every corpus; writes the predictions if a directory is given."""
    scores = {}
    for corpus, content in inputs.corpora.items():
        sentences = content.splits[split].sentences
        encoded = inputs.encode(corpus, split)
        predicted = decoder.predict(corpus, encoded, inputs.forms, f"scoring {corpus}, {split}")
        scores[corpus] = score_tags((sentence.tags for sentence in sentences), predicted)
        if directory is not None:
            write_predictions(directory.predictions(corpus, split), sentences, predicted)
    return scores


def _final_scores(
    inputs: TrainingInputs, decoder: Decoder, directory: RunDirectory
) -> dict[str, dict[str, Any]]:
    """Scores the splits that were not trained on; returns scores by corpus and split."""
    splits = _splits_to_score(inputs.config)
    scores = {split: _scores(inputs, decoder, split, directory) for split in splits}
    return {
        corpus: {split: scores[split][corpus].to_json() for split in splits}
        for corpus in inputs.corpora
    }


def _fit_temperatures(inputs: TrainingInputs, tagger: MultiTaskTagger) -> dict[str, float]:
    devel = {name: corpus.splits["devel"].sentences for name, corpus in inputs.corpora.items()}
    return fit_temperatures(tagger, inputs.vocabularies.tags, devel, inputs.forms)


def _splits_to_score(config: RunConfig) -> tuple[str, ...]:
    return ("devel", "test") if config.data.train_on == "train" else ("test",)


def format_parameters(parameters: Mapping[str, Any]) -> str:
    """Formats the parameter counts as a table."""
    rows = [*parameters["parts"].items(), ("total", parameters["total"])]
    rows.append(("without word vectors", parameters["rest"]))
    width = max(len(name) for name, _ in rows)
    lines = (f"{name:<{width}}  {count:>12,}" for name, count in rows)
    return "\n".join(["trainable parameters", *lines])
