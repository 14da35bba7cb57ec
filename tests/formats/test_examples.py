"""Files of every format, written by hand after the descriptions of the formats."""

from __future__ import annotations

import gzip
import io
from collections import Counter

import pytest

from bioner_tf.formats.document import Annotation, Document, Note, Passage, Reject, Relation
from bioner_tf.formats.inputs import read_items
from bioner_tf.formats.registry import READERS, WRITERS

TITLE, ABSTRACT = "BRCA1 in cancer", "Breast and ovary cancer < 5 é."
PASSAGES = (Passage(0, TITLE, "title"), Passage(16, ABSTRACT, "abstract"))


def gene(**fields):
    return Annotation(((0, 5),), "Gene", "BRCA1", **fields)


PUBTATOR = f"""\
12|t|{TITLE}
12|a|{ABSTRACT}
12\t0\t5\tBRCA1\tGene\t672
12\t16\t39\tBreast and ovary cancer\tDisease\tD1|D2\tBreast cancer|ovary cancer
12\tAssociation\t672\tD1

13|t|Only a title
13|a|
"""

BIOC_XML = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>by hand</source><date>2026</date><key>none</key>
<document>
  <id>12</id>
  <infon key="journal">A &amp; B</infon>
  <passage>
    <infon key="type">title</infon><offset>0</offset><text>{TITLE}</text>
    <annotation id="1"><infon key="identifier">672</infon><infon key="type">Gene</infon>
      <location offset="0" length="5"/><text>BRCA1</text></annotation>
  </passage>
  <passage>
    <infon key="type">abstract</infon><offset>16</offset>
    <text>{ABSTRACT.replace("<", "&lt;")}</text>
    <annotation id="2"><infon key="type">Disease</infon><infon key="score">0.5</infon>
      <location offset="16" length="6"/><location offset="33" length="6"/>
      <text>Breast cancer</text></annotation>
    <annotation id="3"><infon key="type">Disease</infon><text>cancer</text></annotation>
  </passage>
  <relation id="R1"><infon key="type">Association</infon>
    <node refid="1" role="gene"/><node refid="2" role="disease"/></relation>
  <relation id="R2"><infon key="relation">CID</infon><infon key="Gene">672</infon></relation>
</document>
</collection>
"""

BIOC_DOCUMENT = Document(
    "12",
    PASSAGES,
    (
        gene(infons={"identifier": "672"}, id="1"),
        Annotation(((16, 22), (33, 39)), "Disease", "Breast cancer", 0.5, id="2"),
    ),
    (
        Relation("Association", (("gene", "1"), ("disease", "2")), id="R1"),
        Relation("CID", concepts=(("Gene", "672"),), id="R2"),
    ),
    infons={"journal": "A & B"},
)

BIOC_JSON_DOCUMENT = """{"_id": "x", "id": 12, "infons": {"journal": "A & B"}, "passages": [
  {"infons": {"type": "title"}, "offset": 0, "text": "BRCA1 in cancer", "sentences": [],
   "annotations": [{"id": "1", "infons": {"identifier": "672", "type": "Gene", "none": null},
     "text": "BRCA1", "locations": [{"offset": 0, "length": 5}]}], "relations": []},
  {"infons": {"type": "abstract"}, "offset": 16, "text": "Breast and ovary cancer < 5 \\u00e9.",
   "annotations": [{"id": "2", "infons": {"type": "Disease", "score": "0.5"}, "text":
     "Breast cancer", "locations": [{"offset": 33, "length": 6}, {"offset": 16, "length": 6}]}]}],
 "relations": [
  {"id": "R1", "infons": {"type": "Association"},
   "nodes": [{"refid": "1", "role": "gene"}, {"refid": "2", "role": "disease"}]},
  {"id": "R2", "infons": {"relation": "CID", "Gene": "672"}}]}
"""

PUBMED = """\
<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "pubmed.dtd">
<PubmedArticleSet>
<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">12</PMID>
  <Article><ArticleTitle>The <i>BRCA1</i>
    gene</ArticleTitle>
  <Abstract><AbstractText Label="METHODS">We looked.</AbstractText>
    <AbstractText>H<sub>2</sub>O &#233;</AbstractText><AbstractText/></Abstract>
  <VernacularTitle>Das Gen</VernacularTitle></Article>
  <OtherAbstract Type="plain"><AbstractText>Simple.</AbstractText></OtherAbstract>
  <CommentsCorrectionsList><CommentsCorrections><PMID>99</PMID></CommentsCorrections>
  </CommentsCorrectionsList></MedlineCitation>
  <PubmedData><ArticleIdList><ArticleId IdType="pubmed">12</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle>
<PubmedArticle><MedlineCitation><Article><ArticleTitle>No id</ArticleTitle></Article>
</MedlineCitation></PubmedArticle>
<PubmedBookArticle><BookDocument><PMID>14</PMID><ArticleTitle>A book</ArticleTitle>
  <Abstract><AbstractText>It is.</AbstractText></Abstract></BookDocument></PubmedBookArticle>
<DeleteCitation><PMID Version="1">7</PMID></DeleteCitation>
</PubmedArticleSet>
"""

JATS = """\
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS 1.2//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>
<article-id pub-id-type="pmid">12</article-id><article-id pub-id-type="pmc">345</article-id>
<title-group><article-title>The <italic>BRCA1</italic> gene</article-title></title-group>
<abstract><sec><title>Aim</title><p>We looked.</p></sec></abstract></article-meta></front>
<body><sec><title>Results</title>
<p>It binds<xref>1</xref>. <inline-formula>x</inline-formula>
  <list><list-item><p>one</p></list-item><list-item><p>two</p></list-item></list>
  <fig><label>Figure 1</label><caption><title>A figure</title><p>of it.</p></caption></fig> End.</p>
<table-wrap><caption><p>A table</p></caption><table><tr><td>1</td></tr></table></table-wrap>
</sec></body>
<back><ack><p>Thanks.</p></ack><ref-list><ref><article-title>Other</article-title></ref></ref-list>
</back><sub-article><body><p>Reply</p></body></sub-article></article>
"""


def read(name, content):
    return list(READERS[name](io.BytesIO(content.encode()), "in"))


def test_pubtator():
    first, second = read("pubtator", PUBTATOR)
    disease = {"identifier": "D1|D2", "mentions": "Breast cancer|ovary cancer"}
    assert first == Document(
        "12",
        PASSAGES,
        (
            gene(infons={"identifier": "672"}),
            Annotation(((16, 39),), "Disease", "Breast and ovary cancer", infons=disease),
        ),
        (Relation("Association", concepts=(("", "672"), ("", "D1"))),),
    )
    assert second == Document("13", (Passage(0, "Only a title", "title"),))
    assert b"".join(WRITERS["pubtator"]([first, second], Counter())).decode() == PUBTATOR + "\n"
    assert read("pubtator", PUBTATOR.replace("\n", "\r\n").replace("\r\n\r\n", "\r\n")) == [
        first,
        second,
    ]


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("12\t0\t5", "12\t0\t4", "in:3", "expected the mention 'BRCA1' at 0-4, got 'BRCA'"),
        ("12\t0\t5", "12\t0\t999", "in:3", "expected a span between 0 and 46, got 0 to 999"),
        ("12\t0\t5", "11\t0\t5", "in:3", "expected a line of document 12, got '11'"),
        ("12|t|", "12|x|", "in:1", "expected a title"),
        ("\tGene\t672", "", "in:3", "expected 5 to 7 columns"),
        ("12\tAssociation\t672\tD1", "a line", "in:5", "expected a line of document 12"),
    ],
)
def test_a_faulty_block_of_pubtator_is_rejected_and_the_next_one_read(old, new, place, reason):
    assert old in PUBTATOR
    rejected, second = read("pubtator", PUBTATOR.replace(old, new, 1))
    assert rejected.place == place
    assert reason in rejected.reason
    assert second.id == "13"


def test_bioc_xml():
    [document] = read("bioc_xml", BIOC_XML)
    assert document == BIOC_DOCUMENT
    assert document.skipped == {"annotations without a place": 1}


@pytest.mark.parametrize(
    "content",
    [
        BIOC_JSON_DOCUMENT,
        f'{{"source": "", "infons": {{"documents": []}}, "documents": [{BIOC_JSON_DOCUMENT}]}}',
        f'{{"PubTator3": [{BIOC_JSON_DOCUMENT}]}}',
        f"[{BIOC_JSON_DOCUMENT}]",
        f"\n{BIOC_JSON_DOCUMENT}\n\n",
    ],
    ids=["document", "collection", "pubtator 3", "list", "lines"],
)
def test_bioc_json(content):
    assert read("bioc_json", content) == [BIOC_DOCUMENT]
    cut = read("bioc_json", content.rstrip()[:-1])
    assert isinstance(cut[-1], Reject)


def test_bioc_json_larger_than_a_block():
    content = f'{{"x": [{"1, " * 100_000}1], "documents": [{BIOC_JSON_DOCUMENT}, 7]}}'
    document, rejected = read("bioc_json", content)
    assert document == BIOC_DOCUMENT
    assert rejected == Reject("in:12", 'expected a BioC document with "passages"')


def test_bioc_with_text_in_sentences():
    content = """<collection><document><id>1</id><passage><offset>3</offset>
      <sentence><offset>3</offset><text>It binds.</text></sentence>
      <sentence><offset>13</offset><text>p53 too.</text>
        <annotation id="a"><infon key="type">Gene</infon><location offset="13" length="3"/>
        </annotation></sentence></passage></document></collection>"""
    [document] = read("bioc_xml", content)
    assert document.passages == (Passage(3, "It binds. p53 too."),)
    assert document.annotations == (Annotation(((13, 16),), "Gene", "p53", id="a"),)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('length="5"', 'length="4"', "expected the mention 'BRCA1' at 0-4"),
        ("<offset>16</offset>", "<offset>15</offset>", "expected the mention"),
        ("<offset>16</offset>", "<offset>14</offset>", "expected a passage at offset 15 or later"),
        ("<offset>16</offset>", "<offset>999999999</offset>", "expected at most"),
        ("<offset>16</offset>", "", "expected a BioC document"),
        ('<infon key="type">Gene</infon>', "", "expected a type"),
    ],
)
def test_a_faulty_document_of_bioc_is_rejected(old, new, reason):
    [rejected] = read("bioc_xml", BIOC_XML.replace(old, new, 1))
    assert rejected.place == "in:4"
    assert reason in rejected.reason


def test_pubmed_xml():
    first, rejected, book = read("pubmed_xml", PUBMED)
    assert first == Document(
        "12",
        (
            Passage(0, "The BRCA1 gene", "title"),
            Passage(15, "We looked.", "abstract", {"label": "METHODS"}),
            Passage(26, "H2O é", "abstract"),
        ),
    )
    assert sum(first.skipped.values()) == 2
    assert rejected == Reject("in:15", "expected an article with a PMID, got none")
    assert book == Document("14", (Passage(0, "A book", "title"), Passage(7, "It is.", "abstract")))


def test_jats():
    [document] = read("jats", JATS)
    assert document.id == "PMC345"
    assert document.infons == {"pmid": "12", "pmc": "345"}
    assert [(passage.kind, passage.text) for passage in document.passages] == [
        ("title", "The BRCA1 gene"),
        ("heading", "Aim"),
        ("abstract", "We looked."),
        ("heading", "Results"),
        ("paragraph", "It binds1. one two End."),
        ("heading", "A figure"),
        ("caption", "of it."),
        ("caption", "A table"),
        ("paragraph", "Thanks."),
    ]
    assert document.skipped == {
        "formulas": 1,
        "tables": 1,
        "lists of references": 1,
        "sub-articles": 1,
    }
    assert document.text == "\n".join(passage.text for passage in document.passages)


def test_brat(tmp_path):
    lines = [
        "T1\tGene 0 5\tBRCA1",
        "T2\tDisease 6 12;17 23\tbreast cancer",
        "E1\tBinding:T1 Theme:T2",
        "A1\tNegated E1",
        "#1\tAnnotatorNotes T1\tsure?",
        "*\tEquiv T1 T2",
        "R1\tcauses Arg1:T1 Arg2:T2\t",
    ]
    (tmp_path / "a.txt").write_bytes(b"BRCA1\nbreast and\ncancer\r\n")
    (tmp_path / "a.ann").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    [document] = read_items([str(tmp_path / "a.txt")])
    assert document == Document(
        "a",
        (Passage(0, "BRCA1\nbreast and\ncancer\r\n"),),
        (gene(id="T1"), Annotation(((6, 12), (17, 23)), "Disease", "breast cancer", id="T2")),
        (Relation("causes", (("Arg1", "T1"), ("Arg2", "T2")), id="R1"),),
        tuple(Note("brat", line) for line in lines[2:6]),
    )
    (tmp_path / "a.ann").write_text("T1\tGene 0 5\tBRCA1\nT2\tGene 0 6\tBRCA2\n")
    [rejected] = read_items([str(tmp_path / "a.txt")])
    assert rejected.place == f"{tmp_path / 'a.ann'}:2"


def test_conll():
    marked = "-DOCSTART-\t12\n\nBRCA1\tB-Gene\nin\tO\n\nbreast\tB-Disease\ncancer\tI-Disease\n\n"
    document = Document(
        "12",
        (Passage(0, "BRCA1 in", "sentence"), Passage(9, "breast cancer", "sentence")),
        (gene(), Annotation(((9, 22),), "Disease", "breast cancer")),
    )
    assert read("conll", marked) == [document]
    assert b"".join(WRITERS["conll"]([document], Counter())).decode() == marked
    unmarked = marked.partition("\n\n")[2]
    assert [item.text for item in read("conll", unmarked)] == ["BRCA1 in", "breast cancer"]
    rejected, second = read("conll", unmarked.replace("B-Gene", "Gene"))
    assert rejected.place == "in:1"
    assert second.text == "breast cancer"


def test_conll_from_plain_text_cuts_sentences_and_counts_what_does_not_fit():
    text = "It is. BRCA1 binds\np53."
    inside = Annotation(((7, 9),), "Gene", "BR")
    document = Document("", (Passage(0, text),), (Annotation(((19, 22),), "Gene", "p53"), inside))
    losses: Counter[str] = Counter()
    content = b"".join(WRITERS["conll"]([document], losses)).decode()
    assert [block.replace("\n", " ") for block in content.strip().split("\n\n")] == [
        "-DOCSTART-",
        "It\tO is\tO .\tO",
        "BRCA1\tO binds\tO",
        "p53\tB-Gene .\tO",
    ]
    assert +losses == {"annotations that cut tokens or sentences": 1}


def test_packed_files_are_read_and_bad_ones_rejected(tmp_path):
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(PUBMED.encode()))
    (tmp_path / "b.gz").write_bytes(gzip.compress(PUBMED.encode())[:300])
    items = list(read_items([str(tmp_path / "a.xml.gz"), str(tmp_path / "b.gz")]))
    assert [type(item).__name__ for item in items] == ["Document", "Reject", "Document", "Reject"]
    assert items[-1].place == str(tmp_path / "b.gz")
