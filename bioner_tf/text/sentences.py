"""Splits text into sentences, in the graph: core TensorFlow ops, vectorised.

A sentence can end only at white space, so not inside ``3.5``, ``e.g.`` or ``Hsp70.1``. It ends

1. at every blank line;
2. at ``.``, ``!`` or ``?``, which closing quotes or brackets may follow, if a line ends there or
   the next word looks like the beginning of a sentence: it starts with a capital, a digit, a letter
   of a script without case, a Greek letter, an opening quote or an opening bracket, or it has a
   capital or digit later (``mRNA``, ``p53``);
3. at a ``.`` after a short form only if the next word is a typical first word of a sentence and not
   a name (``shown in B. We found``). Short forms are the field's abbreviations (``Fig.``, ``al.``,
   ``J. Biol. Chem.``) and single letters (``E. coli``, ``J. Smith``, ``e.g.``,
   ``S. Typhimurium``). Weak short forms are often the last word of a sentence; after them, any
   capitalised word begins a new one. They are months and ``etc.``, units after a number or a slash
   (``at 6 h. Rats``), and a letter that a hyphen or slash joins to a word or that names one of
   several kinds (``PIG-M.``, ``hepatitis B.``, ``NF-kappa B.``, ``65 degrees C.``);
4. at a deliberate line break, as after a title, a heading or a list item: the next word would have
   fitted easily on the line. "Easily" means that the line would then have filled at most three
   quarters of the paragraph's longest line, or of 40 characters if that is more. Text wrapped at a
   fixed width has no such line breaks inside a paragraph.

A sentence of more than a given number of tokens is cut into pieces of that many tokens.
"""

from __future__ import annotations

import tensorflow as tf

from bioner_tf.text.tokens import DIGIT, LOWER, UPPER, Tokens, shift_left, shift_right

# Longer sentences are cut, in exports and when a run tags its corpora.
MAX_SENTENCE_TOKENS = 256

_LINE_BREAKS = "\n\v\f\r\x85\u2028\u2029"
_TERMINATORS = ".!?"
_CLOSING = "\"'\u2019\u201d\u00bb)]}"
_OPENING = "\"'\u2018\u201c\u00ab([{"
# At most this many closing characters belong to a terminator, for example a quote and a bracket.
_MOST_CLOSING = 3

# Short forms whose full stop need not end a sentence, in upper or lower case ...
_ABBREVIATION = (
    "(?i:"
    # references and the literature
    "al|cf|eds?|viz|resp|figs?|refs?|eqs?|eqns?|tabs?|sect?|chaps?|vols?|nos?|nrs?|pp?|suppl?|"
    "vs|ca|approx|incl|excl|i[bd]|ibid|loc|op|anon|acad|biol|biochem|biophys|chem|commun|exp|genet|"
    "hum|immunol|microbiol|natl|proc|sci|virol|"
    # organisms, strains, varieties
    "spp?|subspp?|ssp|sspp|var|biovar|nov|gen|comb|str|"
    # people, firms, addresses
    "drs?|profs?|mrs?|jr|sr|dept|univ|"
    # measures
    "avg|max|min|temp|conc|wt|mol)"
    # ... and short forms that mean something else in capitals: multiple sclerosis, cardiac output
    "|[cp]v|bv|sv|[Ss]t|Ms|Co|Med"
)

# Weak short forms, see rule 3: "on Jun. 12", but "Fos and Jun. They bind".
_WEAK_ABBREVIATION = "(?i:jan|feb|mar|apr|jun|jul|aug|sept?|oct|dec|etc|inc|ltd|corp)"
# Also weak after a number or a slash: "for 30 min. RNA was", "at 6 h. Rats", "ml/min. Serum".
_UNIT = "[a-z]|C|min|mins|hrs?|secs?|wks?|mos?|yrs?"
# A single letter after one of these words is weak, because letters name kinds of these things.
_LETTERED = (
    "(?i:alpha|beta|gamma|delta|kappa|lambda|degrees?|kinases?|(apo)?(lipo)?proteins?|factors?|"
    "vitamins?|hepatitis|influenza|groups?|class|grades?|stages?|phases?|panels?|"
    "cytochromes?|ha?emoglobin|immunoglobulin|complex|domains?|meiosis|"
    "annexin|tenascin|collagen|cathepsin|actinomycin|cyclosporine?|polymyxin|cytochalasin)"
)

# First words of sentences that are no names of people or organisms; no "A" because of "panel A".
_OPENER = (
    "The|This|These|Those|That|There|They|Their|Then|Thus|Therefore|To|Together|In|It|Its|If|Is|"
    "Indeed|Interestingly|Importantly|We|Our|Here|Hence|However|He|Her|His|She|You|Who|What|When|"
    "Where|Whereas|Whether|While|Which|Why|With|Within|Without|An|And|Although|Also|After|"
    "Additionally|All|Among|As|At|Are|Another|Any|Both|Because|Before|Between|But|By|Can|"
    "Conversely|Consequently|Despite|Do|Does|During|Each|Either|Even|Every|Finally|First|For|From|"
    "Furthermore|Given|How|Many|More|Moreover|Most|Nevertheless|Neither|No|Not|Notably|Of|On|Once|"
    "One|Only|Or|Other|Over|Overall|Several|Second|Similarly|Since|So|Some|Subsequently|Such|Taken|"
    "Through|Two|Three|Under|Unlike|Until|Upon|Using|Was|Were|Patients|Previous|Recent|Recently|"
    "Background|Conclusions?|Methods|Objectives?|Purpose|Results|"
    "BACKGROUND|CONCLUSIONS?|METHODS|OBJECTIVES?|PURPOSE|RESULTS"
)

# See rule 4.
_FULLNESS_NUMERATOR, _FULLNESS_DENOMINATOR = 3, 4
_NARROWEST_WIDTH = 40


def split_sentences(tokens: Tokens) -> tf.Tensor:
    """Finds the tokens that begin a sentence, by the rules at the top of this module.

    Args:
        tokens: The tokens of a batch of texts.

    Returns:
        bool (tokens,), always true at the first token of a text.
    """
    new_text = tf.not_equal(tokens.text_ids, shift_right(tokens.text_ids, -1))
    has_gap = new_text | (tokens.starts > shift_right(tokens.ends, -1))
    breaks = tf.where(new_text, 0, _line_breaks_before(tokens))
    # How the token before ends a sentence, if it does.
    plain, weak, strong = (
        shift_right(ends, False) for ends in _ends_sentence(tokens, has_gap, new_text)
    )
    word_lengths, begins_like_sentence = _words(tokens, has_gap)
    at_gap = plain & (begins_like_sentence | (breaks > 0))
    at_gap |= weak & (tf.gather(tokens.classes, tokens.starts) == UPPER)
    at_gap |= strong & _matches(tokens.forms, _OPENER, strong)
    on_purpose = (breaks == 1) & _would_have_fitted(tokens, new_text, breaks, word_lengths)
    return new_text | (breaks > 1) | (has_gap & at_gap) | on_purpose


def cut_sentences(begins_sentence: tf.Tensor, max_sentence_tokens: int) -> tf.Tensor:
    """Cuts every sentence, from its start, into pieces of at most ``max_sentence_tokens``.

    Args:
        begins_sentence: bool (tokens,), true at the first token.
        max_sentence_tokens: The most tokens in a piece, at least 1.

    Returns:
        bool (tokens,), true where a piece begins.
    """
    first_tokens = tf.where(begins_sentence)[:, 0]  # (sentences,)
    sentence = tf.cumsum(tf.cast(begins_sentence, tf.int64)) - 1  # (tokens,)
    places = tf.range(tf.size(sentence, out_type=tf.int64)) - tf.gather(first_tokens, sentence)
    return places % max_sentence_tokens == 0


def _line_breaks_before(tokens: Tokens) -> tf.Tensor:
    """The number of line breaks between each token and the one before; CR LF is one."""
    code_points = tokens.code_points
    is_break = _is_any_of(code_points, _LINE_BREAKS)
    carriage_return_of_pair = (code_points == ord("\r")) & (shift_left(code_points, 0) == ord("\n"))
    # (characters + 1,): the number of line breaks before each character.
    breaks = tf.cumsum(tf.cast(is_break & ~carriage_return_of_pair, tf.int32))
    breaks = tf.concat([[0], breaks], axis=0)
    before = shift_right(tf.gather(breaks, tokens.ends), 0)
    return tf.gather(breaks, tokens.starts) - before


def _ends_sentence(
    tokens: Tokens, has_gap: tf.Tensor, new_text: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Tokens that may end a sentence: after a word, a weak and a strong short form."""
    first = tf.gather(tokens.code_points, tokens.starts)
    # The first token of a text has no token before it.
    is_stop = (first == ord(".")) & ~new_text
    before_stop = shift_left(is_stop, False)
    weak, strong = _short_forms(tokens, first, has_gap, before_stop, new_text)
    weak, strong = (is_stop & shift_right(form, False) for form in (weak, strong))
    plain = _is_any_of(first, _TERMINATORS) & ~(weak | strong)
    clings = _is_any_of(first, _CLOSING) & ~has_gap
    for _ in range(_MOST_CLOSING):
        plain, weak, strong = (
            ends | (clings & shift_right(ends, False)) for ends in (plain, weak, strong)
        )
    return plain, weak, strong


def _short_forms(
    tokens: Tokens,
    first: tf.Tensor,
    has_gap: tf.Tensor,
    among: tf.Tensor,
    new_text: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The weak and the strong short forms of rule 3, among the tokens that ``among`` selects."""
    forms = tokens.forms
    first_class = tf.gather(tokens.classes, tokens.starts)
    is_letter = (first_class >= LOWER) & (first_class < DIGIT)
    is_letter &= (tokens.ends - tokens.starts == 1) & among

    is_word, joins = first_class >= LOWER, _is_any_of(first, "-/") & ~has_gap
    joined = shift_right(joins & shift_right(is_word, False), False) & ~has_gap
    asked = shift_left(is_letter, False)
    lettered = joined | shift_right(_matches(forms, _LETTERED, asked), False)
    counted = shift_right((first_class == DIGIT) | (joins & (first == ord("/"))), False)
    # The token before a text's first token belongs to another text.
    weak = ((is_letter & lettered) | _matches(forms, _UNIT, among & counted)) & ~new_text
    strong = (is_letter | _matches(forms, _ABBREVIATION, among)) & ~weak
    return weak | _matches(forms, _WEAK_ABBREVIATION, among), strong


def _matches(forms: tf.Tensor, pattern: str, among: tf.Tensor) -> tf.Tensor:
    """True where a form matches the whole pattern, among the tokens that ``among`` selects."""
    asked = tf.where(among)  # (asked, 1)
    answers = tf.strings.regex_full_match(tf.gather(forms, asked[:, 0]), pattern)
    shape = tf.shape(forms, out_type=tf.int64)
    return tf.scatter_nd(asked, tf.cast(answers, tf.int32), shape) > 0


def _words(tokens: Tokens, has_gap: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The length of each token's word, and whether it looks like the beginning of a sentence.

    A word extends from white space to white space.
    """
    word = tf.cumsum(tf.cast(has_gap, tf.int32)) - 1
    word_starts = tf.gather(tf.math.segment_min(tokens.starts, word), word)
    word_ends = tf.gather(tf.math.segment_max(tokens.ends, word), word)

    has_weight = (tokens.classes == UPPER) | (tokens.classes == DIGIT)
    weighty = tf.concat([[0], tf.cumsum(tf.cast(has_weight, tf.int32))], axis=0)
    inside = tf.gather(weighty, word_ends) > tf.gather(weighty, word_starts)

    first = tf.gather(tokens.code_points, tokens.starts)
    first_class = tf.gather(tokens.classes, tokens.starts)
    is_greek = (first >= ord("α")) & (first <= ord("ω"))
    begins = (first_class > LOWER) | is_greek | _is_any_of(first, _OPENING)
    return word_ends - word_starts, begins | ((first_class == LOWER) & inside)


def _would_have_fitted(
    tokens: Tokens, new_text: tf.Tensor, breaks: tf.Tensor, word_lengths: tf.Tensor
) -> tf.Tensor:
    """True where a token starts a word that would have fitted easily on the line before."""
    line = tf.cumsum(tf.cast(new_text | (breaks > 0), tf.int32)) - 1
    line_starts = tf.math.segment_min(tokens.starts, line)
    line_lengths = tf.gather(tf.math.segment_max(tokens.ends, line) - line_starts, line)
    paragraph = tf.cumsum(tf.cast(new_text | (breaks > 1), tf.int32)) - 1
    longest = tf.gather(tf.math.segment_max(line_lengths, paragraph), paragraph)
    filled = shift_right(line_lengths, 0) + 1 + word_lengths
    width = tf.maximum(longest, _NARROWEST_WIDTH)
    return filled * _FULLNESS_DENOMINATOR <= width * _FULLNESS_NUMERATOR


def _is_any_of(code_points: tf.Tensor, characters: str) -> tf.Tensor:
    wanted = tf.constant([ord(character) for character in characters])
    return tf.reduce_any(code_points[:, tf.newaxis] == wanted, axis=1)
