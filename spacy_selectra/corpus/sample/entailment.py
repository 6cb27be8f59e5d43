"""Premise and hypothesis: contradiction, neutral or entailment, from the meaning of events.

The hypothesis is made first and then gets one premise for each label, so that the
hypothesis alone tells nothing about the label. Half of the hypotheses name a topic ("Este
ejemplo es de deportes."): a text of that topic entails it, a text of another topic contradicts
it, and a text without a topic is neutral.
"""

from __future__ import annotations

from collections.abc import Set

from spacy_selectra.corpus.sample.dice import Dice
from spacy_selectra.corpus.sample.pools import Split
from spacy_selectra.corpus.sample.registers.all import TOPICS, lexicon
from spacy_selectra.corpus.sample.registers.events import (
    EVENTS,
    LEADS,
    SYNONYMS,
    TAILS,
    TOPIC_HYPOTHESES,
    VAGUE,
    Event,
)
from spacy_selectra.corpus.sample.scene import Scene
from spacy_selectra.corpus.sample.topics import topic_sentences

LABELS = ("contradiction", "neutral", "entailment")
_SYNONYM_SHARE = 15

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
    vague = Scene(dice, lexicon(), split, split).text(dice.choice(VAGUE))
    fitting, unfitting = (" ".join(topic_sentences(dice, t, split)[:2]) for t in (topic, other))
    return hypothesis, [unfitting, vague, fitting]


def _event_triple(dice: Dice, split: Split) -> tuple[str, list[str]]:
    event = dice.choice(EVENTS)
    scene = Scene(dice, lexicon(), split, split)
    hypothesis, options = dice.choice((_full, _general, _negative))(event)
    text = scene.text(hypothesis)
    return text, [_premise(scene, dice, options[label]) for label in LABELS]


def _premise(scene: Scene, dice: Dice, options: list[str]) -> str:
    core = dice.choice(options)
    return scene.text(f"{dice.choice(LEADS)}{core}{dice.choice(TAILS)}.")


def _clauses(event: Event) -> dict[str, str]:
    agent, thing, place = f"{{el:{event.agent}/per}} {{per!full}}", event.object("num"), "en {town}"
    return {
        "agent": agent,
        "did": f"{agent} {{{event.verb}.pret}}",
        "same": f"{agent} {{{event.synonym}.pret}}",
        "opposite": f"{agent} {{{event.opposite}.pret}}",
        "thing": thing,
        "other_number": event.object("num2"),
        "place": place,
        "visit": f"{agent} {{estar.pret}} {place} y {{hablar.pret}} con la prensa",
        "wish": f"{agent} {{querer.imp}} {{{event.verb}.inf}} {thing} {place}",
        "not_but": f"no {{ser.pret}} {agent} sino {{per3!full}} quien {{{event.verb}.pret}} "
        f"{thing} {place}",
    }


def _full(event: Event) -> tuple[str, dict[str, list[str]]]:
    c = _clauses(event)
    return f"{c['did']} {c['thing']} {c['place']}.", {
        "entailment": [
            f"{c['same']} {c['thing']} {c['place']}",
            f"{c['did']} {c['thing']} {c['place']}",
            f"{c['place']}, {c['same']} {c['thing']}",
        ],
        "contradiction": [
            f"{c['did']} {c['other_number']} {c['place']}",
            f"{c['same']} {c['thing']} lejos de {{town}}, en {{town2}}",
            f"{c['opposite']} {c['thing']} {c['place']}",
            c["not_but"],
        ],
        "neutral": [
            f"{c['same']} {c['thing']}",
            f"{c['did']} {event.general} {c['place']}",
            c["wish"],
            c["visit"],
        ],
    }


def _general(event: Event) -> tuple[str, dict[str, list[str]]]:
    c = _clauses(event)
    none = f"{c['agent']} no {{{event.verb}.pret}} nada"
    nobody = f"{c['agent']} no {{{event.verb}.pret}} a nadie"
    return f"{{per!full}} {{{event.verb}.pret}} {event.general}.", {
        "entailment": [
            f"{c['did']} {c['thing']} {c['place']}",
            f"{c['same']} {c['thing']} {c['place']}",
        ],
        "contradiction": [nobody if event.people else none, c["not_but"]],
        "neutral": [c["wish"], c["visit"]],
    }


def _negative(event: Event) -> tuple[str, dict[str, list[str]]]:
    c = _clauses(event)
    return f"{{per!full}} no {{{event.verb}.pret}} {c['thing']} {c['place']}.", {
        "entailment": [
            f"{c['agent']} se {{negar.pret}} a {{{event.verb}.inf}} {c['thing']} {c['place']}",
            f"{c['agent']} no {{{event.synonym}.pret}} {c['thing']} {c['place']}",
            c["not_but"],
        ],
        "contradiction": [
            f"{c['did']} {c['thing']} {c['place']}",
            f"{c['same']} {c['thing']} {c['place']}",
        ],
        "neutral": [c["wish"], c["visit"], f"{c['agent']} {{viajar.pret}} a {{town}}"],
    }
