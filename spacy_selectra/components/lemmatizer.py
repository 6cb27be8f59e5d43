"""`selectra_lemmatizer`: spaCy's trainable lemmatizer, which prefers lemmas that are words.

spaCy imports this module with its first pipeline: no heavy imports at module level. No postponed
annotations, because spaCy reads those of factories at run time.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline.edit_tree_lemmatizer import EditTreeLemmatizer
from spacy.tokens import Doc
from thinc.api import Model

from spacy_selectra.components.ner import LISTENER
from spacy_selectra.text.spellings import Spellings, spanish_spellings


@Language.factory(
    "selectra_lemmatizer",
    assigns=["token.lemma"],
    default_config={
        "model": {"@architectures": "spacy-selectra.Tagger.v1", "tok2vec": LISTENER},
        "backoff": "orth",
        "min_tree_freq": 2,
        "overwrite": False,
        "top_k": 10,
        "scorer": {"@scorers": "spacy.lemmatizer_scorer.v1"},
    },
    default_score_weights={"lemma_acc": 1.0},
)
def make_lemmatizer(
    nlp: Language,
    name: str,
    model: Model,
    backoff: str | None,
    min_tree_freq: int,
    overwrite: bool,
    top_k: int,
    scorer: Callable | None,
) -> "KnownWordLemmatizer":
    """Make the component; see `KnownWordLemmatizer`."""
    return KnownWordLemmatizer(
        nlp.vocab,
        model,
        name,
        backoff=backoff,
        min_tree_freq=min_tree_freq,
        overwrite=overwrite,
        top_k=top_k,
        scorer=scorer,
    )


class KnownWordLemmatizer(EditTreeLemmatizer):
    """spaCy's `trainable_lemmatizer` that prefers lemmas in the library's list of Spanish words.

    An edit tree says how a lemma differs from a word. With few training data, the most probable
    tree often gives no word: "reuniar" for "reunió". Unless the most probable applicable tree
    leaves the word as it is, the first of the `top_k` most probable trees is applied that changes
    it to a known word; if there is none, the most probable one, as in spaCy.

    Settings and training are those of `trainable_lemmatizer`.
    """

    def predict(self, docs: Iterable[Doc]) -> list[Any]:
        """For each document the tree of each word, -1 if none is applicable."""
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            return super().predict(docs)
        known = spanish_spellings()
        scores = self.model.predict(docs)
        count = min(self.top_k, len(self.labels))
        found = []
        for doc, own in zip(docs, scores, strict=True):
            rows = self.numpy_ops.asarray(own)
            best = np.argpartition(-rows, count - 1, axis=1)[:, :count] if len(rows) else rows
            trees = []
            for token, row, some in zip(doc, rows, best, strict=True):
                chosen = -1
                for label in sorted(some.tolist(), key=lambda one: (-row[one], one)):
                    tree = self.cfg["labels"][label]
                    lemma = self.trees.apply(tree, token.text)
                    if lemma is None:
                        continue
                    first = chosen == -1
                    chosen = tree if first else chosen
                    if (first and lemma == token.text) or (
                        lemma != token.text and _is_word(lemma.split(" ")[0], known)
                    ):
                        chosen = tree
                        break
                trees.append(chosen)
            found.append(np.array(trees, dtype=np.int64))
        return found


def _is_word(lemma: str, known: Spellings) -> bool:
    usual = known.usual(lemma)
    return usual is not None and usual.lower() == lemma.lower()


__all__ = ["KnownWordLemmatizer", "make_lemmatizer"]
