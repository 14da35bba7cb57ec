"""Gets the paper's corpora and word vectors.

A download that broke off continues where it was. What was fetched is recorded in SHA256SUMS.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.corpora import fetch
from bioner_tf.errors import BionerError

WHAT = flags.DEFINE_list(
    "what", ["corpora"], f"Some of {', '.join(fetch.sources())}; vectors stands for all vectors."
)
DATA_DIR = flags.DEFINE_string("data_dir", None, "The directory to put it into.", required=True)
FROM = flags.DEFINE_string(
    "from",
    None,
    "A mirror: a base URL or a directory that has the files under their original names; a "
    "directory may have the unpacked files instead. Plain http is used only if this URL says so.",
)
COMMIT = flags.DEFINE_string(
    "commit",
    fetch.COMMIT,
    "The commit of the repository that has the corpora. The files of another commit are not "
    "checked.",
)
PINNED = flags.DEFINE_bool(
    "pinned",
    True,
    "Accept only the paper's corpora, by their SHA-256. --nopinned accepts others, for example "
    "your own changed ones.",
)


def main(argv: list[str]) -> None:
    """Fetches what is missing."""
    del argv
    missing = []
    selected = fetch.select_sources(WHAT.value, COMMIT.value, PINNED.value)
    for source in selected.values():
        missing += fetch.fetch(
            source, DATA_DIR.value, FROM.value, lambda line: print(line, flush=True)
        )
    if missing:
        raise BionerError(
            f"{DATA_DIR.value}: everything else is there, but not {', '.join(missing)}, which the "
            "source does not have"
        )


entry = app.command(main)

if __name__ == "__main__":
    entry()
