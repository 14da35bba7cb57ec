"""Run directories as bioner-train leaves them, made of JSON alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioner_tf.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from bioner_tf.runs.history import History

F1 = "a/devel_f1"
PARAMETERS = {"single_task": 870_000, "cross_sharing": 2_640_000}


def write_run(
    directory: Path,
    structure: str = "single_task",
    corpora: tuple[str, ...] = ("main",),
    f1: float | None = 0.5,
    *,
    precision: float | None = None,
    recall: float | None = None,
    epochs: int = 2,
    epochs_done: int | None = None,
    seconds: float = 3.0,
    data: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    seed: int = 1,
) -> Path:
    """Writes a run; without ``f1`` it has not finished."""
    config = RunConfig(
        DataConfig(data_dir="/somewhere/data", corpora=corpora, **(data or {})),
        ModelConfig(structure=structure, **(model or {})),
        TrainingConfig(epochs=epochs, seed=seed, **(training or {})),
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config.to_json()))
    done = epochs if epochs_done is None else epochs_done
    records = [
        {"epoch": n, f"{corpora[0]}/loss": 1 / n, "tokens": 1000.0, "seconds": seconds}
        for n in range(1, done + 1)
    ]
    (directory / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    if f1 is not None:
        test = {"precision": precision or f1, "recall": recall or f1, "f1": f1}
        scores = {"test": test}
        if config.data.train_on == "train":
            scores["devel"] = {name: value + 0.01 for name, value in test.items()}
        report = {
            "structure": structure,
            "parameters": {"total": 9, "rest": PARAMETERS.get(structure, 1000), "parts": {}},
            "data": {name: {"training_sentences": 320} for name in corpora},
            "epoch": epochs,
            "scores": {corpora[0]: scores},
            "epochs": epochs,
        }
        (directory / "report.json").write_text(json.dumps(report))
    return directory


def history_of(path: Path, *scores: float) -> History:
    """Writes a history of devel scores, one per epoch."""
    history = History(path, 0)
    for epoch, score in enumerate(scores, start=1):
        history.append({"epoch": epoch, F1: score})
    history.save()
    return history
