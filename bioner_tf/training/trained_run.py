"""A trained run: loaded from its directory, and exported as a SavedModel."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from bioner_tf.config import RunConfig
from bioner_tf.errors import BionerError
from bioner_tf.files import PathLike
from bioner_tf.models import MultiTaskTagger, build_tagger
from bioner_tf.runs.checksums import check_files
from bioner_tf.runs.directory import RunDirectory
from bioner_tf.runs.history import History, devel_f1_key
from bioner_tf.runs.report import read_report
from bioner_tf.serving.export import export_tagger
from bioner_tf.serving.graph import Encode, Score, ServedCorpus, ServedTagger
from bioner_tf.serving.metadata import METADATA_PATH
from bioner_tf.serving.rules import MergeRules
from bioner_tf.serving.versions import list_versions
from bioner_tf.training.checkpoints import CheckpointStore, name_variables
from bioner_tf.training.inputs import Vocabularies
from bioner_tf.training.optimizer import RMSprop

_RULES = MergeRules()


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run's tagger with the weights of the chosen epoch (see ``chosen_epoch``).

    Attributes:
        directory: Where the run is.
        config: Its settings.
        vocabularies: Its vocabularies.
        tagger: Its networks.
        report: The epoch of the weights; scores and ``temperatures``, by corpus, if they are known.
        pruned_vocabulary: Where the files of its vocabularies are, if not in its directory.
    """

    directory: RunDirectory
    config: RunConfig
    vocabularies: Vocabularies
    tagger: MultiTaskTagger
    report: Mapping[str, Any]
    pruned_vocabulary: Path | None = None


def read_full_history(directory: RunDirectory, epochs: int) -> History:
    """Reads the history up to an epoch.

    Raises:
        BionerError: It is shorter, or damaged.
    """
    history = History(directory.metrics, epochs)
    if [record.get("epoch") for record in history.records] != list(range(1, epochs + 1)):
        raise BionerError(
            f"{directory.metrics}: expected a line for each of the {epochs} epochs so far, got "
            f"{len(history.records)}; put the file back, or give another --run_dir"
        )
    return history


def chosen_epoch(config: RunConfig, history: History) -> int:
    """Returns the epoch to use: the best on devel if devel is held out, else the last."""
    if config.data.train_on == "train":
        best = history.best_epoch(devel_f1_key(config.data.corpora[0]))
        if best is not None:
            return best
    return len(history.records)


def checkpoint_store(
    directory: RunDirectory,
    tagger: MultiTaskTagger,
    optimizer: RMSprop | None = None,
) -> CheckpointStore:
    """Returns the run's checkpoints; without an optimizer, of the weights alone."""
    weights = name_variables(tagger)
    return CheckpointStore(directory.checkpoints, weights, tagger.updates, optimizer)


def load_run(run_dir: PathLike, precision: str | None = None) -> TrainedRun:
    """Loads a run's tagger.

    Args:
        run_dir: Its directory.
        precision: The precision of the Bi-LSTMs' matmuls; by default that of training.

    Raises:
        BionerError: Not a run directory, or nothing was trained in it yet.
    """
    directory = RunDirectory(Path(run_dir))
    check_files(directory.root)
    config = RunConfig.load(directory.config)
    if precision is not None:
        model = dataclasses.replace(config.model, precision=precision)
        config = dataclasses.replace(config, model=model)
    loaded = Vocabularies.load(directory.vocabulary, config)
    tagger = build_tagger(config.model, loaded.sources, loaded.tags, config.training.seed)
    store = checkpoint_store(directory, tagger)
    epochs = store.epochs()
    if not epochs:
        raise BionerError(f"{directory.checkpoints}: expected a checkpoint, got none; train first")
    epoch = chosen_epoch(config, read_full_history(directory, epochs[-1]))
    store.restore(epoch)
    report = read_report(directory.report)
    if report.get("epoch") != epoch:
        # The run continues with more epochs: its report is about other weights.
        report = {"epoch": epoch}
    return TrainedRun(directory, config, loaded, tagger, report)


def export_run(
    run: TrainedRun,
    export_dir: PathLike,
    version: int | None = None,
    table_precision: str = "float32",
    rules: MergeRules = _RULES,
    serve: str = "all",
) -> Path:
    """Writes a run's tagger as a SavedModel.

    Args:
        run: The run.
        export_dir: The directory of versions.
        version: The version's number; by default the next.
        table_precision: ``float16`` stores the vectors of words and characters in half the bytes.
        rules: How the entities of the corpora are merged.
        serve: What ``serving_default`` answers, a name in ``serving.rules.SERVED``.

    Returns:
        The directory of the new version.
    """
    encode, corpora = networks_to_serve(run.tagger, run.vocabularies.tags, _temperatures(run))
    served = ServedTagger(
        encode=encode,
        corpora=corpora,
        sources=run.vocabularies.sources,
        vocabulary_dir=run.pruned_vocabulary or run.directory.vocabulary,
        metadata=_describe(run, table_precision),
        table_precision=table_precision,
        rules=rules,
        serve=serve,
    )
    return export_tagger(served, export_dir, version)


def find_export(run: TrainedRun, export_dir: PathLike) -> int | None:
    """Returns the newest version if it has these weights and scores, else None."""
    newest = max(list_versions(export_dir), default=0)
    path = Path(export_dir) / str(newest) / METADATA_PATH
    if not path.exists():
        return None
    metadata = json.loads(path.read_bytes())
    described = json.loads(json.dumps(_describe(run)))
    return newest if {name: metadata.get(name) for name in described} == described else None


def _describe(run: TrainedRun, table_precision: str = "float32") -> dict[str, Any]:
    """Returns what the metadata of an export says about its run."""
    settings = run.config.to_json()
    # Paths of this machine are of no use to the users of an export.
    del settings["data"]["data_dir"], settings["data"]["vectors"]
    settings["model"]["precision"] = run.tagger.precision
    return {
        "structure": run.config.model.structure,
        "settings": settings,
        "epoch": run.report["epoch"],
        "scores": run.report.get("scores", {}),
        "temperatures": _temperatures(run),
        "vocabularies": {s.part: len(s.vocabulary) for s in run.vocabularies.sources},
        "table_precision": table_precision,
    }


def _temperatures(run: TrainedRun) -> dict[str, float]:
    known = run.report.get("temperatures", {})
    return {corpus: known.get(corpus, 1.0) for corpus in run.tagger.corpora}


def networks_to_serve(
    tagger: MultiTaskTagger,
    tags: Mapping[str, Sequence[str]],
    temperatures: Mapping[str, float],
) -> tuple[Encode, list[ServedCorpus]]:
    """Splits a tagger's networks into the part that corpora share and one part per corpus.

    Args:
        tagger: The networks.
        tags: The tags of each corpus.
        temperatures: What the potentials of each corpus's CRF are divided by.

    Returns:
        ``encode`` and ``corpora`` of a :class:`ServedTagger`.
    """

    def encode(inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        return tf.nest.flatten(tagger.trunk(inputs))

    def scorer(corpus: str) -> Score:
        head, crf, temperature = tagger.heads[corpus], tagger.crfs[corpus], temperatures[corpus]

        def score(features: Sequence[tf.Tensor], lengths: tf.Tensor) -> tf.Tensor:
            potentials = crf.potentials(head((list(features), lengths)))
            return potentials if temperature == 1.0 else potentials / temperature

        return score

    return encode, [ServedCorpus(name, tags[name], scorer(name)) for name in tagger.corpora]
