"""Fills the tables of docs/performance.md with the results of the benchmarks.

    python benchmarks/report.py

A table is between two marks, ``<!-- table NAME -->`` and ``<!-- end -->``. The text around the
tables and the tables of benchmarks that have not run do not change.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from speed import harness

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Record = Mapping[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Writes a Markdown table; the first column is left-aligned, the others right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _origin(record: Record) -> str:
    machine = record["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['date'][:10]}, "
        f"Python {machine['python']}, {versions}\n"
    )


def _contender_rows(groups: Mapping[str, Record]) -> Iterable[list[str]]:
    for group, summary in groups.items():
        for contender, found in summary["contenders"].items():
            first, third = found["quartiles"]
            yield [
                group,
                contender,
                f"{found['median']:.1f}",
                f"{first:.1f} – {third:.1f}",
                f"{found['times_bioner']:.2f}" if "times_bioner" in found else "",
                f"{found['share_of_sgemm']:.0%}",
            ]


def training(record: Record) -> str:
    """The table of training steps."""
    header = ["structure", "contender", "ms an update", "quartiles", "x bioner", "of sgemm"]
    return table(header, _contender_rows(record["structures"])) + "\n" + _origin(record)


def bilstm(record: Record) -> str:
    """The table of Bi-LSTMs."""
    header = ["Bi-LSTMs", "contender", "ms", "quartiles", "x bioner", "of sgemm"]
    return table(header, _contender_rows(record["counts"])) + "\n" + _origin(record)


def limits(record: Record) -> str:
    """The table of an LSTM's parts."""
    rows = [
        [
            part,
            f"{found['microseconds']:.1f}",
            f"{found['gflops']:.0f}" if "gflops" in found else "",
            f"{found['share_of_sgemm']:.0%}" if "gflops" in found else "",
        ]
        for part, found in record["parts"].items()
    ]
    parts = table(["part", "us a step", "GFLOP/s", "of sgemm"], rows)
    bound = (
        f"A large product: {record['sgemm_gflops']:.0f} GFLOP/s. The pass's products alone: "
        f"{record['bound']:.0%} of that.\n\n"
    )
    return f"{parts}\n{bound}{_origin(record)}"


def tagging(record: Record) -> str:
    """The tables of tagging: contenders, commands, cold starts."""
    rows = [
        [
            size,
            contender,
            f"{found['median']:,.0f}",
            f"{found['times_signature']:.2f}" if "times_signature" in found else "",
            f"{found['share_of_sgemm']:.0%}",
            f"{found['p50']:.1f}",
            f"{found['p99']:.1f}",
        ]
        for size, summary in record["batches"].items()
        for contender, found in summary["contenders"].items()
    ]
    header = [
        "texts a call",
        "contender",
        "tokens/s",
        "x signature",
        "of sgemm",
        "p50 ms",
        "p99 ms",
    ]
    parts = [table(header, rows)]
    if "commands" in record:
        rows = [
            [f"`{command}`", f"{found['median']:,.0f}", f"{found['start_seconds']:.1f}"]
            for command, found in record["commands"].items()
        ]
        parts.append(table(["command", "tokens/s", "s to start and tag one text"], rows))
    rows = [
        [way, *(f"{found[part]:.2f}" for part in ("import", "load", "answer", "total"))]
        for way, found in record["cold_start"].items()
    ]
    parts.append(table(["cold start, s", "import", "load", "first answer", "total"], rows))
    return "\n".join([*parts, _origin(record)])


def growth(record: Record) -> str:
    """The table of growth."""
    rows = []
    for axis, summary in record["axes"].items():
        rows += [
            [axis, f"{p['value']:,}", f"{p['ms']:.1f}", f"{p['megabytes']:,.0f}"]
            for p in summary["points"]
        ]
        exponents = (summary["time_exponent"], summary["memory_exponent"])
        rows.append([axis, "**exponent**", *(f"**{value:.2f}**" for value in exponents)])
    return table(["varied", "value", "ms an update", "MB at most"], rows) + "\n" + _origin(record)


def pipeline(record: Record) -> str:
    """The table of padding, and the share of time that is waiting."""
    rows = [
        [corpus, f"{shares['drawn']:.1%}", f"{shares['shuffling']:.1%}"]
        for corpus, shares in record["padding"].items()
    ]
    waiting = (
        f"\n{1e3 * record['seconds']:.0f} ms a turn; {record['waiting']:.1%} of that is waiting "
        "for data.\n\n"
    )
    header = ["corpus", "padding", "by shuffling alone"]
    return table(header, rows) + waiting + _origin(record)


def memory(record: Record) -> str:
    """The table of peak memory."""
    corpora = ", ".join(record["corpora"])
    found = {f"`bioner-train`, {corpora}": record["training"]}
    for size, tagged in record["tagging"].items():
        found[f"`bioner-tag`, {size} MB of text"] = tagged
    rows = [[name, f"{f['megabytes']:,.0f}", f"{f['seconds']:.0f}"] for name, f in found.items()]
    return table(["command", "MB at most", "seconds"], rows) + "\n" + _origin(record)


def precision(record: Record) -> str:
    """The table of F1 in both precisions."""
    names = ("float32", "bfloat16")
    rows = [
        [seed, *(f"{100 * record[name]['scores'][seed]:.2f}" for name in names)]
        for seed in record["float32"]["scores"]
    ]
    both = (record[name] for name in names)
    means = (f"{100 * found['mean']:.2f} ± {100 * found['deviation']:.2f}" for found in both)
    chance = "" if record["p"] is None else f", p = {record['p']:.2f} (Welch)"
    what = (
        f"{', '.join(record['corpora'])}, {record['structure']}, `{record['flags']}`: difference "
        f"{100 * record['difference']:+.2f}{chance}.\n\n"
    )
    table_of_seeds = table(["seed", *names], [*rows, ["mean", *means]])
    return f"{table_of_seeds}\n{what}{_origin(record)}"


# For each table its file of results and the function that writes it.
TABLES: dict[str, tuple[str, Callable[[Record], str]]] = {
    "training": ("training_step", training),
    "bilstm": ("bilstm", bilstm),
    "limits": ("limits", limits),
    "tagging": ("tagging", tagging),
    "growth": ("growth", growth),
    "pipeline": ("pipeline", pipeline),
    "memory": ("memory", memory),
    "precision": ("precision", precision),
}


def fill(text: str, results: Path) -> str:
    """Returns the document with tables made from the files in ``results``."""

    def replace(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        file, make = TABLES[name]
        path = results / f"{file}.json"
        if not path.exists():
            print(f"{name}: not run ({path.name} is not there)")
            return match.group()
        return f"{begin}\n{make(json.loads(path.read_text()))}\n{end}"

    return _TABLE.sub(replace, text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fills the tables of the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=harness.RESULTS)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args(arguments)
    text = options.document.read_text(encoding="utf-8")
    options.document.write_text(fill(text, options.results), encoding="utf-8")


if __name__ == "__main__":
    main()
