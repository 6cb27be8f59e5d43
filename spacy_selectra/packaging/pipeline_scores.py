"""Evaluating an assembled pipeline on test files: scores of all components, and speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_selectra.errors import SelectraError
from spacy_selectra.finetuning.metrics import class_scores
from spacy_selectra.pretraining.evaluation.metrics import roc_auc
from spacy_selectra.serving.records import zero_shot_component
from spacy_selectra.util.extras import required

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

REPLACED_SHARE = 0.15  # ELECTRA's mask probability (Clark et al. 2020, section 2)
TEXTCATS = {"textcat", "textcat_multilabel", "selectra_textcat"}
WORD_FACTORIES = {"tagger", "morphologizer", "trainable_lemmatizer", "lemmatizer"} | {
    "selectra_lemmatizer",
    *("senter", "selectra_senter", "sentencizer", "parser", "attribute_ruler"),
}
WORD_SCORES = ("tag_acc", "pos_acc", "morph_acc", "lemma_acc", "sents_f")
SENTENCES = 10  # consecutive sentences of a treebank in one text


def evaluate_pipeline(
    nlp: Language,
    ner_test: str | Path | None = None,
    topics_test: str | Path | None = None,
    batch_size: int = 64,
    treebank_test: str | Path | None = None,
) -> dict[str, Any]:
    """Scores of a pipeline, with spaCy's keys of `meta["performance"]`.

    Args:
        nlp: pipeline; missing components are skipped.
        ner_test: CoNLL column file, for entities and replaced words.
        topics_test: .jsonl file of `text` and `label`, for `textcat` and zero-shot labels.
            `textcat` chooses among the labels in this file.
        batch_size: documents per batch.
        treebank_test: CoNLL-U file, for tags, morphology, lemmas and sentence starts.

    Returns:
        `ents_p`, `ents_r`, `ents_f`, `ents_per_type`; `cats_acc`, `cats_macro_f`;
        `zero_shot_acc`, `zero_shot_macro_f`, `zero_shot_labels` (the labels used);
        `tag_acc`, `pos_acc`, `morph_acc`, `lemma_acc`, `sents_f`, `boundaries_f`;
        `replaced_auc`; `speed` (words per second of the whole pipeline). Scores are in [0, 1].

    Raises:
        SelectraError: a file is missing or empty, or scikit-learn is needed and not installed.
    """
    from spacy_selectra.components.corpora.labelled import read_entities, read_texts

    scores: dict[str, Any] = {}
    factories = {nlp.get_pipe_meta(name).factory for name in nlp.pipe_names}
    if factories & {*TEXTCATS, "selectra_replaced"}:
        required("sklearn.metrics")  # fail now, not after the work
    speed_docs: list[Doc] = []
    if ner_test is not None:
        examples = [example for _, example in read_entities(nlp, Path(ner_test), {})]
        _require(examples, ner_test)
        gold = [example.reference for example in examples]
        speed_docs = gold
        if factories & {"ner", "selectra_ner"}:
            scores |= entity_scores(nlp, examples, batch_size)
        if "selectra_replaced" in factories:
            scores["replaced_auc"] = replaced_auc(nlp, gold, batch_size)
    if topics_test is not None:
        examples = [example for _, example in read_texts(nlp, Path(topics_test))]
        _require(examples, topics_test)
        speed_docs = speed_docs or [example.reference for example in examples]
        texts = [example.reference.text for example in examples]
        truth = [_best(example.reference.cats) for example in examples]
        if factories & TEXTCATS:
            possible = set(truth)
            with nlp.select_pipes(disable=_without(nlp, "textcat")):
                docs = nlp.pipe(texts, batch_size=batch_size)
                found = [_best_of(doc.cats, possible) for doc in docs]
            rates = class_scores(truth, found, sorted(set(truth)))
            scores |= {"cats_acc": rates["accuracy"], "cats_macro_f": rates["macro_f1"]}
        if "selectra_zero_shot" in factories:
            scores |= zero_shot_scores(nlp, texts, truth)
    if treebank_test is not None:
        scores |= word_scores(nlp, treebank_test, batch_size)
    if speed_docs:
        scores["speed"] = words_per_second(nlp, speed_docs, batch_size)
    return scores


def discriminator_scores(pretraining: str | Path, packed: str | Path) -> dict[str, float]:
    """`rtd_auc`: AUC of the discriminator on the generator's replacements.

    Args:
        pretraining: directory of a pretraining run; if it has no generator (a published
            discriminator), the result is empty.
        packed: packed corpus; its held-out split is used.

    Raises:
        SelectraError: there is no run or corpus, or vocabularies do not match.
    """
    from spacy_selectra.pretraining.evaluation.evaluate import evaluate_discriminator

    if not (Path(pretraining) / "generator").is_dir():
        return {}
    return {"rtd_auc": float(evaluate_discriminator(Path(pretraining), Path(packed))["auc"])}


def entity_scores(nlp: Language, examples: Sequence[Any], batch_size: int = 64) -> dict[str, Any]:
    """Exact-match precision, recall and F1 of entities (CoNLL-2002 measure), also per type.

    Entity types of the test file that the component does not know are ignored and listed under
    `ents_left_out`.
    """
    from spacy.scorer import get_ner_prf

    left_out = forget_types(nlp, examples)
    _annotate(nlp, examples, _without(nlp, "ner"), batch_size)
    found = get_ner_prf(examples)
    scores = {key: found[key] for key in ("ents_p", "ents_r", "ents_f", "ents_per_type")}
    return {**scores, "ents_left_out": left_out} if left_out else scores


def calibrate_entities(nlp: Language, held_out: str | Path, batch_size: int = 64) -> float:
    """Fit the temperature of `ner`'s scores on a CoNLL column file, and return it.

    Raises:
        SelectraError: an unreadable file, a component without scores, or no entities predicted.
    """
    from spacy_selectra.components.corpora.labelled import read_entities

    tagger: Any = nlp.get_pipe("ner")
    if not hasattr(tagger, "calibrate"):
        raise SelectraError("component 'ner' has no scores to calibrate; selectra_ner has")
    examples = [example for _, example in read_entities(nlp, Path(held_out), {})]
    _require(examples, held_out)
    forget_types(nlp, examples)
    later = nlp.pipe_names[nlp.pipe_names.index("ner") :]
    _annotate(nlp, examples, later, batch_size)
    return tagger.calibrate(examples)


def word_scores(nlp: Language, treebank: str | Path, batch_size: int = 64) -> dict[str, float]:
    """Accuracy of tags, morphology and lemmas, and F1 of sentences and of their boundaries.

    Words are those of the treebank; ten sentences at a time form a text without line breaks.
    """
    from spacy_selectra.components.corpora.conllu import conllu_reader

    examples = list(conllu_reader(treebank, sentences_per_doc=SENTENCES)(nlp))
    if not any(nlp.get_pipe_meta(name).factory in WORD_FACTORIES for name in nlp.pipe_names):
        return {}
    with nlp.select_pipes(disable=_without(nlp, *WORD_FACTORIES)):
        found = nlp.evaluate(examples, batch_size=batch_size)
    scores = {key: found[key] for key in WORD_SCORES if found.get(key) is not None}
    if "sents_f" in scores:
        scores["boundaries_f"] = boundaries_f(examples)
    return scores


def boundaries_f(examples: Sequence[Any]) -> float:
    """F1 of the boundaries between sentences, i.e. of all sentence starts but the first.

    A wrong boundary makes one error here, and in the F1 of whole sentences two or three.
    """
    from spacy.scorer import PRFScore

    score = PRFScore()
    for example in examples:
        found, truth = (
            {token.i for token in doc[1:] if token.is_sent_start}
            for doc in (example.predicted, example.reference)
        )
        score.score_set(found, truth)
    return score.fscore


def forget_types(nlp: Language, examples: Sequence[Any]) -> list[str]:
    """Remove entities of types that `ner` does not know from the references; returns the types."""
    known = set(getattr(nlp.get_pipe("ner"), "labels", ()) if "ner" in nlp.pipe_names else ())
    references = [example.reference for example in examples]
    left_out = {entity.label_ for doc in references for entity in doc.ents} - known
    if not known or not left_out:
        return []
    for doc in references:
        doc.set_ents([entity for entity in doc.ents if entity.label_ in known])
    return sorted(left_out)


def zero_shot_scores(nlp: Language, texts: Sequence[str], truth: Sequence[str]) -> dict[str, Any]:
    """Accuracy and macro F1 of the best zero-shot label among those in `truth`.

    Labels that the model refuses are left out, so their texts count as wrong; they are listed
    under `zero_shot_left_out`.
    """
    component = zero_shot_component(nlp)
    labels = sorted(set(truth))
    left_out = component.refused(labels)
    asked = [label for label in labels if label not in left_out]
    rows = component.classify([nlp.make_doc(text) for text in texts], asked)
    rates = class_scores(truth, [_best(row) if row else "" for row in rows], labels)
    scores = {
        "zero_shot_acc": rates["accuracy"],
        "zero_shot_macro_f": rates["macro_f1"],
        "zero_shot_labels": asked,
    }
    return {**scores, "zero_shot_left_out": left_out} if left_out else scores


def replaced_auc(nlp: Language, docs: Sequence[Doc], batch_size: int = 64, seed: int = 0) -> float:
    """Area under the ROC curve of `token._.replaced` as a detector of replaced words.

    In every document 15% of the words (at least one) are replaced by random words of the same
    documents, in proportion to their frequency. Unlike a generator's samples in pretraining, they
    are not plausible in context.
    """
    from spacy.tokens import Doc

    random = np.random.default_rng(seed)
    pool = [token.text for doc in docs for token in doc if token.is_alpha]
    if len(set(pool)) < 2:
        raise SelectraError("replaced-word test: the test file has fewer than two distinct words")
    corrupted, truth = [], []
    for doc in docs:
        words = [token.text for token in doc]
        places = [token.i for token in doc if token.is_alpha]
        count = min(len(places), max(1, round(REPLACED_SHARE * len(places))))
        chosen = set(random.choice(places, size=count, replace=False).tolist()) if places else set()
        for i in chosen:
            original = words[i]
            while words[i] == original:
                words[i] = pool[int(random.integers(len(pool)))]
        spaces = [bool(token.whitespace_) for token in doc]
        corrupted.append(Doc(nlp.vocab, words=words, spaces=spaces))
        truth.extend(i in chosen for i in range(len(words)))
    with nlp.select_pipes(disable=_without(nlp, "selectra_replaced")):
        scores = [t._.replaced for d in nlp.pipe(corrupted, batch_size=batch_size) for t in d]
    return roc_auc(np.asarray(truth), np.asarray(scores))


def words_per_second(nlp: Language, docs: Sequence[Doc], batch_size: int = 64) -> float:
    """Words per second of the whole pipeline, from raw text, after one warm-up batch."""
    texts = [doc.text for doc in docs]
    for _ in nlp.pipe(texts[:batch_size], batch_size=batch_size):
        pass
    start = time.perf_counter()
    words = sum(len(doc) for doc in nlp.pipe(texts, batch_size=batch_size))
    return words / (time.perf_counter() - start)


def _annotate(
    nlp: Language, examples: Sequence[Any], disabled: Sequence[str], batch_size: int
) -> None:
    """Run all other components on the predicted documents of examples."""
    with nlp.select_pipes(disable=disabled):
        docs = nlp.pipe((example.predicted for example in examples), batch_size=batch_size)
        for example, doc in zip(examples, docs, strict=True):
            example.predicted = doc


def _without(nlp: Language, *kept: str) -> list[str]:
    """All components except those with these names or factories and encoders."""
    needed = {*kept, "transformer", "tok2vec"}
    return [
        name
        for name in nlp.pipe_names
        if name not in needed and nlp.get_pipe_meta(name).factory not in needed
    ]


def _best_of(scores: dict[str, float], possible: set[str]) -> str:
    return _best({label: scores[label] for label in scores if label in possible} or scores)


def _best(scores: dict[str, float]) -> str:
    return max(scores, key=lambda label: scores[label])


def _require(examples: Sequence[Any], path: str | Path) -> None:
    if not examples:
        raise SelectraError(f"{path}: no examples")
