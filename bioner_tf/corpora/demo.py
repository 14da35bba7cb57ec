"""Two small corpora, genes and diseases, to try everything within minutes.

Sentences are drawn from templates and lists of names that travel with the package. So that a score
on them means something, part of the names, of the templates and of the other words is held out from
the training split; and each corpus mentions the other's entities, where they are no entities.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import random
import re
from collections.abc import Sequence
from pathlib import Path

from bioner_tf.corpora.corpus import TOKEN, Sentence
from bioner_tf.corpora.tags import Span, from_spans
from bioner_tf.files import PathLike, write_text_atomically

SPLIT_SIZES = {"train": 600, "devel": 150, "test": 200}

# How the names and templates are split; training does not use those of devel and test.
_NAME_SHARES = {"train": 0.6, "devel": 0.12, "test": 0.28}
_TEMPLATE_SHARES = {"train": 0.7, "devel": 0.1, "test": 0.2}
_FILLER_SHARE_IN_TRAINING = 0.7
# How often devel and test use their own names and templates instead of training's.
_OWN_NAME_RATE = 0.75
_OWN_TEMPLATE_RATE = 0.5
_NEUTRAL_RATE = 0.2
_FULL_NAME_RATE = 0.35
_MODIFIER_RATE = 0.25
_LENGTHS = range(6, 36)  # tokens of a sentence

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")

_FILLERS = ("chemical", "species", "cell", "method", "tissue")


@dataclasses.dataclass(frozen=True)
class DemoCorpus:
    """The properties of a demo corpus.

    Args:
        name: The corpus's directory.
        slot: The template slot whose fillings are the corpus's entities.
        entity_type: The type in its tags.
        templates: The file of its own templates.
    """

    name: str
    slot: str
    entity_type: str
    templates: str


CORPORA = (
    DemoCorpus("demo-genes", "gene", "Gene", "gene_sentences.txt"),
    DemoCorpus("demo-diseases", "disease", "Disease", "disease_sentences.txt"),
)

_NAME_FILES = {"gene": "genes.txt", "disease": "diseases.txt"}


def build_demo_corpora(seed: int) -> dict[str, dict[str, tuple[Sentence, ...]]]:
    """Makes the demo corpora.

    Args:
        seed: The same seed gives the same corpora, on every Python and every machine.

    Returns:
        By corpus name, then by split name: the sentences, IOB2; none occurs twice in a corpus.
    """
    # Split once for both corpora: training on one must not show the other's held-out names.
    names = {
        slot: _deal(_read_lines(file_name), _NAME_SHARES, random.Random(f"{seed}/{slot}"))
        for slot, file_name in _NAME_FILES.items()
    }
    fillers = {slot: _read_fillers(slot, seed) for slot in (*_FILLERS, "modifier")}
    neutral = _read_lines("neutral_sentences.txt")
    corpora = {}
    for corpus in CORPORA:
        templates = _deal(
            _read_lines(corpus.templates), _TEMPLATE_SHARES, random.Random(f"{seed}/{corpus.name}")
        )
        seen: set[Sentence] = set()
        splits = {}
        for split, size in SPLIT_SIZES.items():
            writer = _Writer(
                corpus=corpus,
                split=split,
                names=names,
                fillers={slot: by_split[split] for slot, by_split in fillers.items()},
                templates=templates,
                neutral=neutral,
                random=random.Random(f"{seed}/{corpus.name}/{split}"),
            )
            splits[split] = tuple(writer.write_unseen(seen) for _ in range(size))
        corpora[corpus.name] = splits
    return corpora


def read_example() -> str:
    """Returns a text to tag with the demo's model; some of its names are in none of the lists."""
    return _resource("example.txt")


def write_demo(data_dir: PathLike, seed: int) -> list[Path]:
    """Writes the demo corpora, a text for their tagger and an abstract for the bundled tagger.

    Args:
        data_dir: The directory for ``<corpus>/<split>.tsv``, ``example.txt`` and ``abstract.txt``;
            made if missing.
        seed: See ``build_demo_corpora``.

    Returns:
        The files, in the order in which they were written.
    """
    data_dir = Path(data_dir)
    contents = {
        data_dir / name / f"{split}.tsv": _to_lines(sentences)
        for name, splits in build_demo_corpora(seed).items()
        for split, sentences in splits.items()
    }
    contents[data_dir / "example.txt"] = read_example()
    contents[data_dir / "abstract.txt"] = _resource("abstract.txt")
    for path, content in contents.items():
        write_text_atomically(path, content)
    return list(contents)


@dataclasses.dataclass(frozen=True)
class _Piece:
    """A part of a sentence's text; ``slot`` is the slot of a name and empty for other text."""

    text: str
    slot: str = ""


@dataclasses.dataclass(frozen=True)
class _Writer:
    """Writes the sentences of one split of one corpus."""

    corpus: DemoCorpus
    split: str
    names: dict[str, dict[str, list[str]]]
    fillers: dict[str, list[str]]
    templates: dict[str, list[str]]
    neutral: list[str]
    random: random.Random

    def write_unseen(self, seen: set[Sentence]) -> Sentence:
        """Writes a sentence of allowed length that is not in ``seen``, and adds it there."""
        while True:
            sentence = self._to_sentence(self._fill(self._choose_template()))
            if len(sentence.tokens) in _LENGTHS and sentence not in seen:
                seen.add(sentence)
                return sentence

    def _choose_template(self) -> str:
        if self._happens(_NEUTRAL_RATE):
            return self.random.choice(self.neutral)
        return self._choose_own_or_training(self.templates, _OWN_TEMPLATE_RATE)

    def _fill(self, template: str) -> list[_Piece]:
        text = _CHOICE.sub(lambda match: self.random.choice(match[1].split("|")), template)
        used: set[str] = set()
        pieces = []
        # re.split alternates text and names of slots.
        for position, part in enumerate(_SLOT.split(text)):
            pieces += [_Piece(part)] if position % 2 == 0 else self._fill_slot(part, used)
        return [piece for piece in pieces if piece.text]

    def _fill_slot(self, slot: str, used: set[str]) -> list[_Piece]:
        if slot in self.names:
            short, full = self._choose_name(slot, used, with_both=False)
            return [_Piece(full if full and self._happens(_FULL_NAME_RATE) else short, slot)]
        if slot.endswith("_def"):
            slot = slot[: -len("_def")]
            short, full = self._choose_name(slot, used, with_both=True)
            return [_Piece(full, slot), _Piece(" ("), _Piece(short, slot), _Piece(")")]
        if slot in self.fillers:
            return [_Piece(self.random.choice(self.fillers[slot]))]
        return [_Piece(self._write_quantity(slot))]

    def _choose_name(self, slot: str, used: set[str], with_both: bool) -> tuple[str, str]:
        """Draws a name that the sentence does not have yet.

        Returns:
            Its short and its full form; the full form may be empty unless ``with_both``.
        """
        while True:
            line = self._choose_own_or_training(self.names[slot], _OWN_NAME_RATE)
            first, _, second = line.partition("|")
            if line not in used and (second or not with_both):
                break
        used.add(line)
        if slot == "gene":
            return first, second
        # Diseases are listed under the full name. One without a short form stands for itself.
        full = self._modify(first)
        return (second, full) if second else (full, "")

    def _modify(self, disease: str) -> str:
        modifier = self.random.choice(self.fillers["modifier"])
        fits = not any(disease.startswith(other) for other in self.fillers["modifier"])
        return f"{modifier} {disease}" if fits and self._happens(_MODIFIER_RATE) else disease

    def _write_quantity(self, slot: str) -> str:
        number = self.random.randint(2, 96)
        digit = self.random.randint(1, 9)
        quantities = {
            "number": f"{number}",
            "percent": self.random.choice((f"{number}%", f"{number}.{digit}%")),
            "fold": self.random.choice((f"{digit + 1}-fold", f"{digit}.{number % 10}-fold")),
            "p": self.random.choice((f"P < 0.0{digit}", f"p = 0.0{number}", "P < 0.001")),
        }
        if slot not in quantities:
            raise ValueError(f"a demo template has the slot {{{slot}}}, which nothing fills")
        return quantities[slot]

    def _choose_own_or_training(self, dealt: dict[str, list[str]], own_rate: float) -> str:
        own = self.split != "train" and self._happens(own_rate)
        return self.random.choice(dealt[self.split if own else "train"])

    def _happens(self, rate: float) -> bool:
        return self.random.random() < rate

    def _to_sentence(self, pieces: Sequence[_Piece]) -> Sentence:
        text = _capitalise("".join(piece.text for piece in pieces))
        tokens = list(TOKEN.finditer(text))
        starts = {token.start(): index for index, token in enumerate(tokens)}
        ends = {token.end(): index + 1 for index, token in enumerate(tokens)}
        spans = []
        offset = 0
        for piece in pieces:
            end = offset + len(piece.text)
            if piece.slot == self.corpus.slot:
                if offset not in starts or end not in ends:
                    raise ValueError(f"a demo template glues {piece.text!r} to a word: {text!r}")
                spans.append(Span(starts[offset], ends[end], self.corpus.entity_type))
            offset = end
        tags = from_spans(spans, len(tokens), "IOB2")
        return Sentence(tuple(token[0] for token in tokens), tuple(tags))


def _capitalise(text: str) -> str:
    """Begins a sentence with a capital, unless its first word is a symbol such as p53 or mTOR."""
    first = TOKEN.search(text)
    if first is None or not (first[0].isalpha() and first[0].islower() and len(first[0]) > 2):
        return text
    return text[0].upper() + text[1:]


def _deal(
    lines: Sequence[str], shares: dict[str, float], generator: random.Random
) -> dict[str, list[str]]:
    """Splits ``lines`` at random, in the proportions of ``shares``."""
    shuffled = list(lines)
    generator.shuffle(shuffled)
    dealt = {}
    start = 0
    reached = 0.0
    for split, share in shares.items():
        reached += share
        end = round(reached * len(shuffled))
        dealt[split] = shuffled[start:end]
        start = end
    return dealt


def _read_fillers(slot: str, seed: int) -> dict[str, list[str]]:
    """Reads the words for a slot: training has part of them, the other splits have all."""
    words = _read_lines(f"{slot}.txt")
    random.Random(f"{seed}/{slot}").shuffle(words)
    in_training = words[: round(_FILLER_SHARE_IN_TRAINING * len(words))]
    return {split: in_training if split == "train" else words for split in SPLIT_SIZES}


def _read_lines(name: str) -> list[str]:
    """Reads the lines of a packaged list, without comments and empty lines."""
    return [line for line in _resource(name).splitlines() if line and not line.startswith("#")]


def _resource(name: str) -> str:
    path = importlib.resources.files("bioner_tf").joinpath("data", "demo", name)
    return path.read_text(encoding="utf-8")


def _to_lines(sentences: Sequence[Sentence]) -> str:
    return "\n".join(
        "".join(f"{token}\t{tag}\n" for token, tag in zip(*sentence)) for sentence in sentences
    )
