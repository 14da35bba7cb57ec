"""Shows the sentences that one of two models tags right and the other wrong (the paper's Table 8).

Both are run directories, or files of predictions as bioner-evaluate --predictions writes them.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.errors import UsageError
from bioner_tf.experiments.reports.cases import to_html, to_text
from bioner_tf.experiments.reports.compare import compare
from bioner_tf.experiments.reports.mistakes import KINDS
from bioner_tf.files import write_text_atomically

FIRST = flags.DEFINE_string("first", None, "One model.", required=True)
SECOND = flags.DEFINE_string("second", None, "The other model.", required=True)
CORPUS = flags.DEFINE_string("corpus", None, "The corpus; by default the first model's main one.")
SPLIT = flags.DEFINE_enum("split", "test", ("devel", "test"), "The split.")
SHOWN = flags.DEFINE_list(
    "kinds", list(KINDS), f"The kinds of mistakes to show: some of {', '.join(KINDS)}."
)
MAX_CASES = flags.DEFINE_integer(
    "max_cases", None, "Show at most so many sentences of each model.", lower_bound=0
)
HTML = flags.DEFINE_string("html", None, "Write an HTML page to this file instead of text.")


def main(argv: list[str]) -> None:
    """Compares two models and writes what differs."""
    del argv
    for kind in SHOWN.value:
        if kind not in KINDS:
            raise UsageError(f"--kinds: expected some of {', '.join(KINDS)}; got {kind!r}")
    comparison = compare(FIRST.value, SECOND.value, CORPUS.value, SPLIT.value)
    if HTML.value is None:
        print(to_text(comparison, SHOWN.value, MAX_CASES.value), end="")
    else:
        write_text_atomically(HTML.value, to_html(comparison, SHOWN.value, MAX_CASES.value))
        print(HTML.value)


entry = app.command(main)

if __name__ == "__main__":
    entry()
