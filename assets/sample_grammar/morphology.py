"""Inflection of nouns, adjectives and determiners: gender, number, article.

Rules follow the Nueva gramática de la lengua española (RAE, 2009), chapters 2, 3 and 14.
"""

from __future__ import annotations

from dataclasses import dataclass

from sample_grammar.lexicon import words

VOWELS = "aeiouáéíóúü"
_PLAIN = str.maketrans("áéíóú", "aeiou")

# Plurals whose accent mark appears, disappears or moves against the general rule.
_PLURALS = {
    "joven": "jóvenes",
    "examen": "exámenes",
    "imagen": "imágenes",
    "origen": "orígenes",
    "orden": "órdenes",
    "crimen": "crímenes",
    "volumen": "volúmenes",
    "dictamen": "dictámenes",
    "resumen": "resúmenes",
    "margen": "márgenes",
    "virgen": "vírgenes",
    "régimen": "regímenes",
    "carácter": "caracteres",
    "polen": "pólenes",
    "mes": "meses",
    "gas": "gases",
    "dios": "dioses",
    "mitin": "mítines",
    "jersey": "jerséis",
    "club": "clubes",
    "bebé": "bebés",
    "café": "cafés",
    "puré": "purés",
    "sofá": "sofás",
    "mamá": "mamás",
    "papá": "papás",
    "menú": "menús",
    "software": "software",
}

# Feminine nouns with a stressed initial a: "el agua", "un arma", but "la nueva arma".
_STRESSED_A = frozenset(
    words("agua área arma aula alma águila hambre ave hacha acta ala ama ancla alga ansia aspa")
)

# Determiners and pronouns that agree: masculine, feminine, masculine plural, feminine plural.
_AGREEING = {
    "el": ("el", "la", "los", "las"),
    "un": ("un", "una", "unos", "unas"),
    "este": ("este", "esta", "estos", "estas"),
    "ese": ("ese", "esa", "esos", "esas"),
    "aquel": ("aquel", "aquella", "aquellos", "aquellas"),
    "su": ("su", "su", "sus", "sus"),
    "mi": ("mi", "mi", "mis", "mis"),
    "tu": ("tu", "tu", "tus", "tus"),
    "nuestro": ("nuestro", "nuestra", "nuestros", "nuestras"),
    "algún": ("algún", "alguna", "algunos", "algunas"),
    "ningún": ("ningún", "ninguna", "ningunos", "ningunas"),
    "mucho": ("mucho", "mucha", "muchos", "muchas"),
    "poco": ("poco", "poca", "pocos", "pocas"),
    "otro": ("otro", "otra", "otros", "otras"),
    "todo": ("todo", "toda", "todos", "todas"),
    "varios": ("varios", "varias", "varios", "varias"),
    "él": ("él", "ella", "ellos", "ellas"),
    "lo": ("lo", "la", "los", "las"),
    "qué": ("qué", "qué", "qué", "qué"),
    "cada": ("cada", "cada", "cada", "cada"),
    "uno": ("uno", "una", "unos", "unas"),
    "gran": ("gran", "gran", "grandes", "grandes"),
    "primer": ("primer", "primera", "primeros", "primeras"),
    "tercer": ("tercer", "tercera", "terceros", "terceras"),
    "buen": ("buen", "buena", "buenos", "buenas"),
    "mal": ("mal", "mala", "malos", "malas"),
    "cuál": ("cuál", "cuál", "cuáles", "cuáles"),
    "quien": ("quien", "quien", "quienes", "quienes"),
}

# Adjectives in -or that do not change for gender.
_COMPARATIVES = ("mayor", "menor", "mejor", "peor", "superior", "inferior", "anterior", "posterior",
                 "interior", "exterior", "multicolor", "incoloro")  # fmt: skip

# Adjectives in -ón and -ín behave like "llorón, llorona"; these do not.
_INVARIABLE = frozenset(words("marrón afín común ruin joven virgen"))


@dataclass(frozen=True)
class Noun:
    """A common noun with its forms; `gender` is "m" or "f"."""

    singular: str
    gender: str
    plural: str
    usually_plural: bool = False

    @property
    def lemma(self) -> str:
        """The singular, by which pools of words are told apart."""
        return self.singular


@dataclass(frozen=True)
class PersonNoun:
    """A noun for a person with a masculine and a feminine form: "el actor", "la actriz"."""

    masculine: Noun
    feminine: Noun

    @property
    def lemma(self) -> str:
        """The masculine singular."""
        return self.masculine.singular

    def of(self, gender: str) -> Noun:
        """The form for a person of this gender."""
        return self.feminine if gender == "f" else self.masculine


@dataclass(frozen=True)
class Adjective:
    """An adjective, known by its masculine singular."""

    lemma: str

    def form(self, gender: str, plural: bool) -> str:
        """The form that agrees with a noun of this gender and number."""
        return agree(self.lemma, gender, plural)


def pluralize(word: str) -> str:
    """The plural of one word: "piñón" gives "piñones", "luz" "luces", "crisis" "crisis"."""
    if word in _PLURALS:
        return _PLURALS[word]
    last = word[-1]
    if last in "aeoiu" or word.endswith(("é", "á", "ó")):
        return word + "s"
    if last in "íú":
        return word + "es"
    if last == "z":
        return word[:-1] + "ces"
    if last == "s":
        stressed = word[-2] in "áéíóú" or sum(c in VOWELS for c in word) == 1
        return _unstressed(word) + "es" if stressed else word
    if last == "x":
        return word
    if last not in "lnrdjy":
        return word + "s"
    if last in "nl" and word[-2] in "áéíóú":
        return _unstressed(word) + "es"
    return word + "es"


def _unstressed(word: str) -> str:
    """Without the accent on the last vowel, unless it parts two vowels: país, baúl."""
    if word[-2] in "íú" and word[-3] in VOWELS:
        return word
    return word[:-2] + word[-2].translate(_PLAIN) + word[-1]


def feminize(word: str) -> str:
    """The feminine of an adjective or of a noun for a person."""
    if word in _INVARIABLE or word.endswith(_COMPARATIVES):
        return word
    if word.endswith("o"):
        return word[:-1] + "a"
    if word.endswith(("or", "és", "ón", "án", "ín")):
        return word[:-2] + word[-2].translate(_PLAIN) + word[-1] + "a"
    return word


def agree(lemma: str, gender: str, plural: bool) -> str:
    """The form of an adjective, determiner or pronoun; of two words only the first agrees."""
    if lemma in _AGREEING:
        return _AGREEING[lemma][(2 if plural else 0) + (1 if gender == "f" else 0)]
    head, space, rest = lemma.partition(" ")
    form = feminize(head) if gender == "f" else head
    return (pluralize(form) if plural else form) + space + rest


def article(lemma: str, noun: str, gender: str, plural: bool) -> str:
    """The determiner right before a noun, with "el agua" for feminines in stressed a."""
    if gender == "f" and not plural and lemma in ("el", "un", "algún", "ningún"):
        first = noun.partition(" ")[0]
        if first in _STRESSED_A:
            return agree(lemma, "m", False)
    return agree(lemma, gender, plural)


def noun(text: str, gender: str) -> Noun:
    """A noun from its singular, with `_` between words; the first word takes the plural.

    An adjective after the head agrees when it is joined with `+`: "placa+solar". A final `*`
    marks what is mostly spoken of in the plural: "garbanzo*".
    """
    if text.endswith("*"):
        single = noun(text[:-1], gender)
        return Noun(single.singular, gender, single.plural, True)
    if "+" in text:
        head, _, rest = text.partition("+")
        adjective, _, tail = rest.partition("_")
        tail = " " + tail.replace("_", " ") if tail else ""
        singular = f"{head} {agree(adjective, gender, False)}{tail}"
        return Noun(singular, gender, f"{pluralize(head)} {agree(adjective, gender, True)}{tail}")
    head, _, tail = text.partition("_")
    tail = " " + tail.replace("_", " ") if tail else ""
    return Noun(head + tail, gender, pluralize(head) + tail)


def person_noun(text: str) -> PersonNoun:
    """A noun for a person: "pintor" (feminine by rule) or "actor/actriz" (feminine given)."""
    masculine, _, feminine = text.partition("/")
    if "+" in masculine:
        head, plus, rest = masculine.partition("+")
        feminine = feminize(head) + plus + rest
    elif not feminine:
        head, separator, tail = masculine.partition("_")
        feminine = feminize(head) + separator + tail
    return PersonNoun(noun(masculine, "m"), noun(feminine, "f"))
