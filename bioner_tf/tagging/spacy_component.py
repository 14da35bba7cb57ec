"""An exported tagger as a spaCy pipeline component, registered as ``bioner_tf``.

::

    nlp = spacy.blank("en")
    nlp.add_pipe("bioner_tf")  # or a tagger of your own: config={"model": "runs/genes"}
    for entity in nlp("Mutations of BRCA1 cause breast cancer.").ents:
        print(entity.text, entity.label_, entity._.bioner_score)

spaCy finds the component by the package's entry point; no import is needed.
"""

import functools
import os
from collections.abc import Iterable, Iterator
from typing import Optional

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import minibatch

# Else TensorFlow prints lines about CUDA and oneDNN that a user cannot act on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bioner_tf.tagging.tagger import Entity, Tagger

_SCORE = "bioner_score"


# spaCy reads the types of a factory's settings, so this module does not postpone annotations.
@Language.factory(
    "bioner_tf",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", f"span._.{_SCORE}"],
    default_config={
        "model": None,
        "corpus": None,
        "type_map": [],
        "min_score": None,
        "overlaps": None,
        "alignment_mode": "expand",
    },
)
def make_component(
    nlp: Language,
    name: str,
    model: Optional[str],
    corpus: Optional[str],
    type_map: list[str],
    min_score: Optional[float],
    overlaps: Optional[str],
    alignment_mode: str,
) -> "BionerComponent":
    """Makes the component for a pipeline; :class:`BionerComponent` describes the settings."""
    del nlp, name
    return BionerComponent(model, corpus, type_map, min_score, overlaps, alignment_mode)


class BionerComponent:
    """Adds a tagger's entities to ``doc.ents``, each with its score in ``span._.bioner_score``.

    spaCy's tokens differ from the tagger's, so an entity may begin or end inside a spaCy token. If
    two entities then share a token, only the one with the higher score is kept. Entities of other
    components are kept if they do not overlap with the tagger's.

    Args:
        model: An export, a directory of its versions or a run directory; by default the tagger that
            comes with the package.
        corpus: Only the entities of this corpus; by default the answer that the export was made
            for, the entities of all corpora.
        type_map: ``TYPE=NAME`` or ``CORPUS:TYPE=NAME``: another name of a type; an empty one drops
            its entities.
        min_score: The least score of an entity, in [0, 1]; by default as exported.
        overlaps: Which of overlapping entities are kept, a name in ``serving.rules.OVERLAPS``; by
            default as exported.
        alignment_mode: What to do with an entity that ends inside a token: ``"expand"`` includes
            the token, ``"contract"`` excludes it, ``"strict"`` drops the entity.

    Raises:
        BionerError: If there is no such model, or it has no such corpus or type.
    """

    def __init__(
        self,
        model: Optional[str] = None,
        corpus: Optional[str] = None,
        type_map: Iterable[str] = (),
        min_score: Optional[float] = None,
        overlaps: Optional[str] = None,
        alignment_mode: str = "expand",
    ):
        self._tag = functools.partial(
            Tagger(model).tag_texts,
            corpus=corpus,
            type_map=list(type_map),
            min_score=min_score,
            overlaps=overlaps,
        )
        self._tag([])  # mistakes show now
        self._alignment_mode = alignment_mode
        if not Span.has_extension(_SCORE):
            Span.set_extension(_SCORE, default=None)

    def __call__(self, doc: Doc) -> Doc:
        """Tags one document."""
        [entities] = self._tag([doc.text])
        self._add(doc, entities)
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        """Tags documents in batches."""
        for docs in minibatch(stream, size=batch_size):
            found = self._tag([doc.text for doc in docs])
            for doc, entities in zip(docs, found):
                self._add(doc, entities)
                yield doc

    def _add(self, doc: Doc, entities: Iterable[Entity]) -> None:
        taken = [False] * len(doc)
        spans = []
        for entity in sorted(entities, key=lambda entity: -entity.score):
            span = doc.char_span(
                entity.start, entity.end, label=entity.type, alignment_mode=self._alignment_mode
            )
            if span is None or any(taken[span.start : span.end]):
                continue
            taken[span.start : span.end] = [True] * len(span)
            span._.set(_SCORE, entity.score)
            spans.append(span)
        others = [span for span in doc.ents if not any(taken[span.start : span.end])]
        doc.set_ents([*spans, *others])
