"""Ranks auxiliary corpora for a main corpus before training: seconds instead of hours.

It compares their words, mentions, labels and contexts. That is a hint, not a proof: with
--sweep_dir, the ranking is compared with the taggers that were trained.
"""

from __future__ import annotations

from absl import flags

from bioner_tf.cli import app
from bioner_tf.experiments.partners.ranking import rank_candidates

DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the corpora are.", required=True)
MAIN = flags.DEFINE_string("main", None, "The main corpus.", required=True)
CANDIDATES = flags.DEFINE_list(
    "candidates", [], "The auxiliary corpora to rank; by default all others in --data_dir."
)
SWEEP_DIR = flags.DEFINE_string(
    "sweep_dir", None, "Runs of cross_sharing to compare the ranking with (see bioner-sweep)."
)


def main(argv: list[str]) -> None:
    """Ranks the candidates and prints them."""
    del argv
    print(rank_candidates(DATA_DIR.value, MAIN.value, CANDIDATES.value, SWEEP_DIR.value))


entry = app.command(main)

if __name__ == "__main__":
    entry()
