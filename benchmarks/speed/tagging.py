"""Compares the speed of tagging raw text with an export and with other programs.

    python benchmarks/speed/tagging.py                       # a table, minutes
    python benchmarks/speed/tagging.py --structure=single_task --rounds=3

Exports a tagger of the paper's sizes with random weights; the texts are generated, one sentence
each. Every contender takes strings and returns entities with scores. First the contenders, each in
its own process, take turns with 1, 16 and 128 texts a call:

    signature            the export's tag_text_main, called from Python; TensorFlow's threads
    signature_threads    the same with the threads that bioner_tf's commands set
    load                 bioner_tf.load(...).tag_texts for the main corpus, with the same threads
    stock_keras          a tagger of Keras's layers and tensorflow-addons' CRF
    pytorch              a tagger in PyTorch (pip install '.[bench]'), packed sequences
    pytorch_padded       the same without packing, though its backward LSTMs then start in padding

The other programs use the same regular expression for tokens, sort sentences by length, pad batches
of 32, decode with Viterbi and score with marginals. They do not split sentences and do not rule out
tag sequences. Then ``bioner-tag`` and ``bioner-evaluate`` run as whole commands; the time for a
single text is subtracted. Last come cold starts: from the start of Python to the first answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
import numpy as np
from contenders import texts, workload
from harness import Measured, Program

# Whether it uses the export; the function that builds it; its arguments.
CONTENDERS: dict[str, tuple[bool, str, dict[str, Any]]] = {
    "signature": (True, "build_signature", {}),
    "signature_threads": (True, "build_signature", {"own_threads": True}),
    "load": (True, "build_load", {}),
    "stock_keras": (False, "build_stock_keras", {}),
    "pytorch": (False, "build_pytorch", {}),
    "pytorch_padded": (False, "build_pytorch", {"packed": False}),
}

_COLD_START = """
import json, sys, time
started = time.perf_counter()
if sys.argv[1] == "load":
    import bioner_tf
    import bioner_tf.tagging.tagger
else:
    import tensorflow as tf
imported = time.perf_counter()
if sys.argv[1] == "load":
    tag = bioner_tf.load(sys.argv[2]).tag_texts
else:
    model = tf.saved_model.load(sys.argv[2])
    tag = lambda texts: model.signatures["serving_default"](text=tf.constant(texts))
loaded = time.perf_counter()
tag(["Mutations of BRCA1 cause breast cancer."])
answered = time.perf_counter()
print(json.dumps([imported - started, loaded - imported, answered - loaded]))
"""


def measure(
    contenders: Sequence[str],
    structure: str,
    export: Path,
    batch_sizes: list[int],
    count: int,
    rounds: int,
) -> dict[str, Measured]:
    """Lets all contenders tag all texts, one contender after the other, ``rounds`` times."""
    programs = {"sgemm": harness.SGEMM}
    for name in contenders:
        by_export, factory, arguments = CONTENDERS[name]
        source = {"export": str(export)} if by_export else {"structure": structure}
        sizes = {"batch_sizes": batch_sizes, "count": count}
        programs[name] = Program(f"contenders.taggers:{factory}", {**source, **sizes, **arguments})
    return harness.measure(programs, rounds)


def summarise(
    found: Mapping[str, Measured], structure: str, batch_sizes: list[int], count: int
) -> dict[str, Any]:
    """Computes the values of the table from the times.

    Returns:
        For each batch size ``tokens`` (a round), ``gflop`` (a thousand tokens, by formula) and for
        each contender: tokens a second (``median``, ``quartiles``), ``share_of_sgemm``, ``p50`` and
        ``p99`` (milliseconds a call), and ``times_signature``, its time divided by the signature's.
    """
    setting = workload.Setting(structure)
    calls = texts.calls(batch_sizes, count)
    sgemm = workload.SGEMM_FLOPS / np.median(found["sgemm"].wall)
    summary: dict[str, Any] = {}
    for size in batch_sizes:
        chosen = np.array([call_size == size for call_size, _ in calls])
        counted = [texts.count_tokens(batch) for call_size, batch in calls if call_size == size]
        tokens = sum(call_tokens for call_tokens, _, _ in counted)
        flops = sum(
            workload.forward_flops(setting, call_tokens, characters, forms)
            for call_tokens, forms, characters in counted
        )
        contenders = {}
        for name, measured in found.items():
            if name == "sgemm":
                continue
            wall = measured.wall[:, chosen]
            rate = harness.spread(tokens / wall.sum(axis=1))
            contenders[name] = {
                "median": rate["median"],
                "quartiles": rate["quartiles"],
                "share_of_sgemm": float(flops / tokens * rate["median"] / sgemm),
                "p50": float(1e3 * np.quantile(wall, 0.5)),
                "p99": float(1e3 * np.quantile(wall, 0.99)),
            }
            if "signature" in found:
                ratios = wall.sum(axis=1) / found["signature"].wall[:, chosen].sum(axis=1)
                contenders[name]["times_signature"] = float(np.median(ratios))
        summary[str(size)] = {
            "tokens": tokens,
            "gflop": flops / tokens * 1e3 / 1e9,
            "contenders": contenders,
        }
    return summary


def show(summary: Mapping[str, Any]) -> None:
    """Prints the table of all batch sizes."""
    for size, values in summary.items():
        print(f"\n{size} texts a call; {values['gflop']:.2f} GFLOP a thousand tokens")
        print(f"{'':<18} tokens/s        quartiles  x signature  of sgemm  p50 ms  p99 ms")
        for name, found in values["contenders"].items():
            first, third = found["quartiles"]
            times = f"{found['times_signature']:.2f}" if "times_signature" in found else ""
            print(
                f"{name:<18} {found['median']:>8.0f} {first:>8.0f} -{third:>7.0f} {times:>12} "
                f"{found['share_of_sgemm']:>9.0%} {found['p50']:>7.1f} {found['p99']:>7.1f}",
                flush=True,
            )


def measure_commands(export: Path, directory: Path, count: int, rounds: int) -> dict[str, Any]:
    """Runs the commands on ``count`` texts and on one, in turns.

    Returns:
        For each command ``start_seconds`` (the time for one text) and tokens a second after that.
    """
    some = texts.make_texts(count)
    commands: dict[str, list[list[str]]] = {"bioner-tag": [], "bioner-evaluate": []}
    for number, part in enumerate((some[:1], some)):
        lines, corpus = directory / f"{number}.txt", directory / f"{number}.tsv"
        lines.write_text("".join(f"{text}\n" for text in part))
        corpus.write_text("".join(texts.to_corpus(text) for text in part))
        model = f"--model={export}"
        output = f"--output={directory / 'out.jsonl'}"
        commands["bioner-tag"].append(["tag", model, f"--input={lines}", output])
        commands["bioner-evaluate"].append(["evaluate", model, f"--corpus_file={corpus}"])
    times: dict[str, list[list[float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, runs in commands.items():
            times[name].append([_run_seconds(arguments) for arguments in runs])
    # Both runs include the first text.
    tokens, first = (texts.count_tokens(part)[0] for part in (some, some[:1]))
    return {
        name: {
            "start_seconds": statistics.median(one for one, _ in seconds),
            **harness.spread([(tokens - first) / max(all_ - one, 1e-9) for one, all_ in seconds]),
        }
        for name, seconds in times.items()
    }


def _run_seconds(arguments: Sequence[str]) -> float:
    command, *rest = arguments
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", f"bioner_tf.cli.{command}", *rest],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def measure_cold_starts(export: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Starts Python, loads the export and tags one text, ``rounds`` times.

    Returns:
        For each way to load: median seconds to ``import``, to ``load`` and to ``answer``, and the
        ``total``, which includes the start of Python.
    """
    found: dict[str, list[list[float]]] = {"signature": [], "load": []}
    for _ in range(rounds):
        for way, seconds in found.items():
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", _COLD_START, way, str(export)],
                stdout=subprocess.PIPE,
                check=True,
            )
            # Includes the exit of the interpreter, which is short.
            seconds.append([*json.loads(done.stdout), time.perf_counter() - started])
    names = ("import", "load", "answer", "total")
    return {
        way: dict(zip(names, map(float, np.median(seconds, axis=0))))
        for way, seconds in found.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables and writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structure", default="cross_sharing", choices=workload.WIRINGS)
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated")
    parser.add_argument("--batch_sizes", default="1,16,128", help="texts a call, comma-separated")
    parser.add_argument("--texts", type=int, default=256, help="texts that each contender tags")
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds")
    parser.add_argument(
        "--command_texts", type=int, default=2000, help="texts for the commands; 0 skips them"
    )
    parser.add_argument(
        "--command_rounds", type=int, default=3, help="runs of commands, cold starts"
    )
    harness.add_output(parser, "tagging")
    options = parser.parse_args(arguments)
    # Import here, so that --help does not wait for TensorFlow.
    from contenders import taggers

    contenders = harness.usable(harness.choose(parser, options.contenders, CONTENDERS))
    sizes = [int(size) for size in options.batch_sizes.split(",")]

    record: dict[str, Any] = {"machine": harness.machine(), "structure": options.structure}
    print(json.dumps(record["machine"]))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        export = taggers.write_export(options.structure, directory)
        shape = (sizes, options.texts)
        found = measure(contenders, options.structure, export, *shape, options.rounds)
        record["batches"] = summarise(found, options.structure, *shape)
        show(record["batches"])
        if options.command_texts:
            record["commands"] = measure_commands(
                export, directory, options.command_texts, options.command_rounds
            )
            print()
            for command, values in record["commands"].items():
                print(
                    f"{command:<16} {values['median']:>8.0f} tokens/s after "
                    f"{values['start_seconds']:.1f} s to start and tag one text"
                )
        record["cold_start"] = measure_cold_starts(export, options.command_rounds)
        print(f"\n{'cold start, s':<16} import    load  answer   total")
        for way, seconds in record["cold_start"].items():
            print(f"{way:<16}" + "".join(f"{value:>7.2f} " for value in seconds.values()))
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
