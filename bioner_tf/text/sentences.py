"""Where sentences end, in graph: core TensorFlow ops, vectorised.

Between two tokens with white space between them a sentence ends

1. at a blank line, always;
2. at ``.``, ``!`` or ``?`` (closing quotes or brackets may follow it), if the next word looks
   like a beginning: it starts with a capital, a digit, a letter of a script without case, a Greek
   letter or an opening quote or bracket, or it has a capital or digit further on (``mRNA``,
   ``p53``); or if a line ends there;
3. at a ``.`` after a short form only if the next word is one that opens sentences and is no
   name (``shown in B. We found``). Short forms are the field's abbreviations (``Fig.``, ``al.``,
   ``J. Biol. Chem.``) and single letters (``E. coli``, ``J. Smith``, ``e.g.``,
   ``S. Typhimurium``). Some are as likely to be a sentence's last word; after these, any word
   with a capital begins the next one: months and ``etc.``, units behind a number or a slash
   (``at 6 h. Rats``), and a letter that a hyphen or slash joins to a word or that tells things of
   a kind apart (``PIG-M.``, ``hepatitis B.``, ``NF-kappa B.``, ``65 degrees C.``);
4. at a deliberate line break (a title, a heading, a list item): one where the next word would have
   fitted on the line easily. Easily means that the line would have filled at most three quarters
   of the paragraph's longest line, or of 40 characters. Text wrapped at a fixed width has no such
   line breaks inside a paragraph.

Without white space nothing ends: ``3.5``, ``e.g.``, ``Hsp70.1``. A sentence of more than a given
number of tokens is cut into pieces of that many tokens.
"""

from __future__ import annotations

import tensorflow as tf

from bioner_tf.text.tokens import DIGIT, LOWER, UPPER, Tokens, shift_left, shift_right

# Longer sentences are cut, in an export and wherever a run tags its corpora.
MAX_SENTENCE_TOKENS = 256

_LINE_BREAKS = "\n\v\f\r\x85\u2028\u2029"
_TERMINATORS = ".!?"
_CLOSING = "\"'\u2019\u201d\u00bb)]}"
_OPENING = "\"'\u2018\u201c\u00ab([{"
# At most so many closing characters belong to a terminator: a quote and a bracket or two.
_MOST_CLOSING = 3

# Short forms before a full stop that need not end a sentence, in upper or lower case ...
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

# Short forms after which a capital begins a sentence: "on Jun. 12", but "Fos and Jun. They bind".
_WEAK_ABBREVIATION = "(?i:jan|feb|mar|apr|jun|jul|aug|sept?|oct|dec|etc|inc|ltd|corp)"
# Likewise behind a number or a slash: for 30 min. RNA was; at 6 h. Rats; ml/min. Serum.
_UNIT = "[a-z]|C|min|mins|hrs?|secs?|wks?|mos?|yrs?"
# The same for a single letter after one of these words, whose kinds have letters as names.
_LETTERED = (
    "(?i:alpha|beta|gamma|delta|kappa|lambda|degrees?|kinases?|(apo)?(lipo)?proteins?|factors?|"
    "vitamins?|hepatitis|influenza|groups?|class|grades?|stages?|phases?|panels?|"
    "cytochromes?|ha?emoglobin|immunoglobulin|complex|domains?|meiosis|"
    "annexin|tenascin|collagen|cathepsin|actinomycin|cyclosporine?|polymyxin|cytochalasin)"
)

# Words that open a sentence and are neither surnames nor epithets. "A" is missing: panel A.
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
    """Says which tokens begin a sentence, by the rules at the top of this module.

    Args:
        tokens: The tokens of a batch of texts.

    Returns:
        bool (tokens,), true at least at the first token of each text.
    """
    new_text = tf.not_equal(tokens.text_ids, shift_right(tokens.text_ids, -1))
    has_gap = new_text | (tokens.starts > shift_right(tokens.ends, -1))
    breaks = tf.where(new_text, 0, _line_breaks_before(tokens))
    # Of the token before.
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
    """Cuts every sentence into pieces of at most ``max_sentence_tokens``, from its start.

    Args:
        begins_sentence: bool (tokens,), true at the first one.
        max_sentence_tokens: The most tokens of a piece, at least 1.

    Returns:
        bool (tokens,), true where a piece begins.
    """
    first_tokens = tf.where(begins_sentence)[:, 0]  # (sentences,)
    sentence = tf.cumsum(tf.cast(begins_sentence, tf.int64)) - 1  # (tokens,)
    places = tf.range(tf.size(sentence, out_type=tf.int64)) - tf.gather(first_tokens, sentence)
    return places % max_sentence_tokens == 0


def _line_breaks_before(tokens: Tokens) -> tf.Tensor:
    """Line breaks between each token and the one before; CR LF is one."""
    code_points = tokens.code_points
    is_break = _is_any_of(code_points, _LINE_BREAKS)
    carriage_return_of_pair = (code_points == ord("\r")) & (shift_left(code_points, 0) == ord("\n"))
    # (characters + 1,): breaks among the characters before each.
    breaks = tf.cumsum(tf.cast(is_break & ~carriage_return_of_pair, tf.int32))
    breaks = tf.concat([[0], breaks], axis=0)
    before = shift_right(tf.gather(breaks, tokens.ends), 0)
    return tf.gather(breaks, tokens.starts) - before


def _ends_sentence(
    tokens: Tokens, has_gap: tf.Tensor, new_text: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Tokens that may end a sentence: plainly, after a weak and after a strong short form."""
    first = tf.gather(tokens.code_points, tokens.starts)
    # A text's first token comes after nothing.
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
    """Of the tokens that ``among`` is true for, the weak and the strong short forms of rule 3."""
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
    """True where a form matches; looks only at those that ``among`` is true for."""
    asked = tf.where(among)  # (asked, 1)
    answers = tf.strings.regex_full_match(tf.gather(forms, asked[:, 0]), pattern)
    shape = tf.shape(forms, out_type=tf.int64)
    return tf.scatter_nd(asked, tf.cast(answers, tf.int32), shape) > 0


def _words(tokens: Tokens, has_gap: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of the word around each token: its length, and whether it looks like a beginning.

    A word reaches from white space to white space.
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
    """True where the word that a token starts would have fitted easily on the line before."""
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
