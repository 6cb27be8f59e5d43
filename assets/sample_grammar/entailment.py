"""Premise and hypothesis: contradiction, neutral or entailment, from the meaning of events.

The hypothesis is made first and then gets one premise for each label, so that the
hypothesis alone tells nothing about the label. Half of the hypotheses name a topic ("Este
ejemplo es de deportes."): a text of that topic entails it, a text of another topic contradicts
it, and a text without a topic is neutral.
"""

from __future__ import annotations

from collections.abc import Set

from sample_grammar.dice import Dice
from sample_grammar.pools import Split
from sample_grammar.registers.all import TOPICS, Register, lexicon
from sample_grammar.registers.events import (
    EVENTS,
    LEADS,
    SYNONYMS,
    TAILS,
    TOPIC_HYPOTHESES,
    VAGUE,
    Event,
)
from sample_grammar.scene import Scene
from sample_grammar.topics import register_sentences

LABELS = ("contradiction", "neutral", "entailment")
# Of 100: hypotheses that name the topic by a synonym, premises on a topic that also have a
# sentence without a topic, events whose neutral premise is about something else.
_SYNONYM_SHARE, _VAGUE_SHARE, _UNRELATED_SHARE = 15, 40, 35
# Ends a clause that may be continued.
_MORE = "+"

Pair = dict[str, str]


def pairs(seed: str, split: Split, count: int, forbidden: Set[str] = frozenset()) -> list[Pair]:
    """`count` pairs (a multiple of 3), in which every hypothesis has each label once.

    No premise is in `forbidden`.
    """
    dice = Dice(seed)
    found: dict[tuple[str, ...], list[Pair]] = {}
    while len(found) * len(LABELS) < count:
        make = _topic_triple if len(found) % 2 else _event_triple
        hypothesis, premises = make(dice, split)
        if not forbidden.isdisjoint(premises):
            continue
        triple = [
            {"premise": premise, "hypothesis": hypothesis, "label": label}
            for premise, label in zip(premises, LABELS, strict=True)
        ]
        found.setdefault((hypothesis, *premises), triple)
    return dice.shuffled([pair for triple in found.values() for pair in triple])


def _topic_triple(dice: Dice, split: Split) -> tuple[str, list[str]]:
    topic, other = dice.sample(TOPICS, 2)
    name = SYNONYMS[topic.label] if dice.chance(_SYNONYM_SHARE) else topic.label
    hypothesis = dice.choice(TOPIC_HYPOTHESES).format(name)
    fitting, unfitting = (_topic_premise(dice, t, split) for t in (topic, other))
    return hypothesis, [unfitting, _vague(dice, split), fitting]


def _topic_premise(dice: Dice, topic: Register, split: Split) -> str:
    sentences = register_sentences(dice, topic, split)[:2]
    if dice.chance(_VAGUE_SHARE):
        sentences = [_vague(dice, split), sentences[0]]
    return " ".join(sentences)


def _vague(dice: Dice, split: Split) -> str:
    return Scene(dice, lexicon(), split, split).text(dice.choice(VAGUE))


def _event_triple(dice: Dice, split: Split) -> tuple[str, list[str]]:
    event = dice.choice(EVENTS)
    scene = Scene(dice, lexicon(), split, split)
    hypothesis, options = dice.choice((_full, _general, _negative))(event)
    text = scene.text(hypothesis)
    premises = [_premise(scene, dice, options[label]) for label in LABELS]
    if dice.chance(_UNRELATED_SHARE):
        premises[LABELS.index("neutral")] = register_sentences(dice, dice.choice(TOPICS), split)[0]
    return text, premises


def _premise(scene: Scene, dice: Dice, options: list[str]) -> str:
    core, more, _ = dice.choice(options).partition(_MORE)
    tail = dice.choice(TAILS) if more else ""
    return scene.text(f"{dice.choice(LEADS)}{core}{tail}.")


class _Clauses:
    """What can be said of an event; clauses that may be continued end in `_MORE`."""

    def __init__(self, event: Event) -> None:
        agent, verb = f"{{el:{event.agent}/per}} {{per!full}}", event.verb
        self.agent, self.place, self.thing = agent, "en {town}", event.object("num")
        did, same = f"{agent} {{{verb}.pret}}", f"{agent} {{{event.synonym}.pret}}"
        what = f"{self.thing} {self.place}"
        wish = f"{agent} {{querer.imp}} {{{verb}.inf}} {what}"
        self.happened = [
            f"{did} {what}{_MORE}",
            f"{same} {what}{_MORE}",
            f"{self.place}, {same} {self.thing}{_MORE}",
            f"{wish} y al final lo {{hacer.pret}}",
            f"{agent} {{estar.pret}} {self.place} y {{{event.synonym}.pret}} allí {self.thing}",
        ]
        self.not_happened = [
            f"{agent} se {{negar.pret}} a {{{verb}.inf}} {what}",
            f"{agent} no {{{event.synonym}.pret}} {what}{_MORE}",
            f"{wish}, pero no lo {{conseguir.pret}}",
            f"no {{ser.pret}} {agent} sino {{per3!full}} quien {{{verb}.pret}} {what}",
        ]
        self.otherwise = [
            f"{did} {event.object('num2')} {self.place}{_MORE}",
            f"{same} {self.thing} lejos de {{town}}, en {{town2}}{_MORE}",
            f"{agent} {{{event.opposite}.pret}} {what}{_MORE}",
        ]
        self.open = [
            f"{wish}",
            f"{agent} {{estar.pret}} {self.place} y {{hablar.pret}} con la prensa",
            f"{agent} {{viajar.pret}} a {{town}}",
            f"quizá {agent} {{{verb}.subj}} {what}",
        ]
        self.vaguer = [f"{same} {self.thing}", f"{did} {event.general} {self.place}"]


def _full(event: Event) -> tuple[str, dict[str, list[str]]]:
    clauses = _Clauses(event)
    return f"{clauses.agent} {{{event.verb}.pret}} {clauses.thing} {clauses.place}.", {
        "entailment": clauses.happened,
        "contradiction": clauses.otherwise + clauses.not_happened,
        "neutral": clauses.vaguer + clauses.open,
    }


def _general(event: Event) -> tuple[str, dict[str, list[str]]]:
    clauses = _Clauses(event)
    nothing = "a nadie" if event.people else "nada"
    never = f"{clauses.agent} no {{{event.verb}.pret}} {nothing} {clauses.place} ni en otro lugar"
    return f"{{per!full}} {{{event.verb}.pret}} {event.general}.", {
        "entailment": clauses.happened,
        "contradiction": [never, f"{clauses.agent} nunca {{{event.verb}.perf}} {nothing}"],
        "neutral": clauses.open,
    }


def _negative(event: Event) -> tuple[str, dict[str, list[str]]]:
    clauses = _Clauses(event)
    return f"{{per!full}} no {{{event.verb}.pret}} {clauses.thing} {clauses.place}.", {
        "entailment": clauses.not_happened,
        "contradiction": clauses.happened,
        "neutral": clauses.open,
    }
