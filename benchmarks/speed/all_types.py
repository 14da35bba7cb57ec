"""Compares the answer for all corpora with that for one, for a tagger of five corpora.

    python benchmarks/speed/all_types.py          # a table, a minute or two

Exports a fully shared tagger of the paper's sizes with random weights. Its corpora have the tags of
BC2GM (the main one), JNLPBA, NCBI-disease, BC5CDR and linnaeus. ``tag_text_main`` and
``tag_text_all`` then take turns, each in a process of its own with the threads that bioner_tf's
commands set. The marks: at most 1.3 times as long, and at least 50,000 tokens a second on two cores
at 128 texts a call.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness
import numpy as np
from contenders import texts
from harness import Program

_TYPES = {
    "main": ["GENE"],
    "JNLPBA": ["DNA", "RNA", "cell_line", "cell_type", "protein"],
    "NCBI-disease": ["Disease"],
    "BC5CDR": ["Chemical", "Disease"],
    "linnaeus": ["Species"],
}
TAGS = {
    corpus: ("O", *(f"{prefix}-{name}" for name in names for prefix in "BI"))
    for corpus, names in _TYPES.items()
}
_SIGNATURES = ("tag_text_main", "tag_text_all")


def measure(export: Path, batch_sizes: list[int], count: int, rounds: int) -> dict[str, Any]:
    """Measures both signatures.

    Returns:
        For each batch size and signature tokens a second (``median``, ``quartiles``), and
        ``times_main``, how many times as long as for one corpus it took.
    """
    programs = {
        name: Program(
            "contenders.taggers:build_signature",
            {
                "export": str(export),
                "batch_sizes": batch_sizes,
                "count": count,
                "own_threads": True,
                "signature": name,
            },
        )
        for name in _SIGNATURES
    }
    found = harness.measure(programs, rounds)
    calls = texts.calls(batch_sizes, count)
    summary: dict[str, Any] = {}
    for size in batch_sizes:
        chosen = np.array([call_size == size for call_size, _ in calls])
        tokens = sum(texts.count_tokens(batch)[0] for s, batch in calls if s == size)
        seconds = {name: m.wall[:, chosen].sum(axis=1) for name, m in found.items()}
        summary[str(size)] = {
            name: {
                **harness.spread(tokens / values),
                "times_main": float(np.median(values / seconds["tag_text_main"])),
            }
            for name, values in seconds.items()
        }
    return summary


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structure", default="fully_shared")
    parser.add_argument("--batch_sizes", default="1,16,128", help="texts a call, comma-separated")
    parser.add_argument("--texts", type=int, default=256, help="tagged in each round")
    parser.add_argument("--rounds", type=int, default=9, help="times that all texts are tagged")
    harness.add_output(parser, "all_types")
    options = parser.parse_args(arguments)
    # Here, so that --help does not wait for TensorFlow.
    from contenders import taggers

    record: dict[str, Any] = {"machine": harness.machine(), "structure": options.structure}
    print(json.dumps(record["machine"]))
    sizes = [int(size) for size in options.batch_sizes.split(",")]
    with tempfile.TemporaryDirectory() as name:
        export = taggers.write_export(options.structure, Path(name), TAGS)
        record["batches"] = measure(export, sizes, options.texts, options.rounds)
    for size, signatures in record["batches"].items():
        print(f"\n{size} texts a call\n{'':<16} tokens/s        quartiles  x tag_text_main")
        for signature, values in signatures.items():
            first, third = values["quartiles"]
            print(
                f"{signature:<16} {values['median']:>8.0f} {first:>8.0f} -{third:>7.0f} "
                f"{values['times_main']:>16.2f}"
            )
    harness.write(record, options.output)


if __name__ == "__main__":
    main()
