"""No component answers for a document that its transformer has not read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_selectra.errors import SelectraError

TEXT = "Íñigo García vive en Málaga."
LISTENER = {
    "@architectures": "spacy-selectra.TransformerListener.v1",
    "pooling": {"@layers": "reduce_mean.v1"},
}
STOCK_NER = {
    "@architectures": "spacy.TransitionBasedParser.v2",
    "state_type": "ner",
    "extra_state_tokens": False,
    "hidden_width": 8,
    "maxout_pieces": 2,
    "use_upper": False,
    "tok2vec": LISTENER,
}
TEXTCAT = {"@architectures": "spacy-selectra.ClsTextCat.v1", "exclusive_classes": True}
COMPONENTS = {
    "ner": ("ner", {"model": STOCK_NER}),
    "tagger": ("selectra_ner", {}),
    "textcat": ("textcat", {"model": TEXTCAT}),
    "vectors": ("selectra_vectors", {}),
}


@pytest.fixture
def nlp(make_nlp) -> Language:
    spacy.util.fix_random_seed(0)
    pipeline = make_nlp()
    for name, (factory, config) in COMPONENTS.items():
        pipeline.add_pipe(factory, name=name, config=config)
    pipeline.initialize(lambda: [example(pipeline)])
    return pipeline


def example(nlp: Language) -> Example:
    gold = {"entities": [(0, 12, "PER")], "cats": {"a": 1.0, "b": 0.0}}
    return Example.from_dict(nlp.make_doc(TEXT), gold)


def disabled(nlp: Language, name: str, tmp_path: Any) -> Language:
    nlp.select_pipes(enable=[name])
    return nlp


def removed(nlp: Language, name: str, tmp_path: Any) -> Language:
    for other in set(nlp.pipe_names) - {name}:
        nlp.remove_pipe(other)
    return nlp


def enabled_on_loading(nlp: Language, name: str, tmp_path: Any) -> Language:
    nlp.to_disk(tmp_path / "saved")
    return spacy.load(tmp_path / "saved", enable=[name])


def excluded_on_loading(nlp: Language, name: str, tmp_path: Any) -> Language:
    nlp.to_disk(tmp_path / "saved")
    return spacy.load(tmp_path / "saved", exclude=list(set(nlp.pipe_names) - {name}))


def sourced(nlp: Language, name: str, tmp_path: Any) -> Language:
    other = spacy.blank("es", vocab=nlp.vocab)
    other.add_pipe(name, source=nlp)
    return other


def before_it(nlp: Language, name: str, tmp_path: Any) -> Language:
    nlp.to_disk(tmp_path / "saved")
    config = {"nlp": {"pipeline": [name, "transformer"]}}
    return spacy.load(tmp_path / "saved", config=config, exclude=list(set(COMPONENTS) - {name}))


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize(
    "how", [disabled, removed, enabled_on_loading, excluded_on_loading, sourced, before_it]
)
def test_an_error_names_the_transformer(nlp, tmp_path, name: str, how: Callable[..., Language]):
    without = how(nlp, name, tmp_path)
    doc = without.make_doc(TEXT)
    with pytest.raises(SelectraError, match="transformer"):
        without(doc)
    with pytest.raises(SelectraError, match="transformer"):
        list(without.pipe([TEXT, "", TEXT]))
    assert not doc.ents
    assert not doc.cats
    assert not doc.user_hooks


def test_own_copies_and_read_documents_go_on(nlp):
    whole = nlp(TEXT)
    with nlp.select_pipes(disable=["transformer", "vectors"]):
        assert nlp(nlp.make_doc("")).text == ""
        again = nlp(copy.copy(whole))
        assert again.cats == whole.cats
    nlp.remove_pipe("vectors")
    for name, layer in (("ner", "tok2vec"), ("tagger", "tok2vec"), ("textcat", "tok2vec")):
        nlp.replace_listeners("transformer", name, [f"model.{layer}"])
    nlp.remove_pipe("transformer")
    assert nlp(TEXT).cats == pytest.approx(whole.cats, abs=1e-5)


def test_tokens_that_changed_since(nlp):
    with nlp.select_pipes(enable=["transformer"]):
        doc = nlp(TEXT)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    for name in ("ner", "tagger"):
        with pytest.raises(SelectraError, match=r"got 5 tokens, but the transformer .* read 6"):
            nlp.get_pipe(name)(doc)


def test_a_getter_that_hides_the_vectors_is_named(nlp):
    Doc.set_extension("trf_data", getter=lambda doc: None, force=True)
    try:
        with pytest.raises(SelectraError, match=r"Doc\._\.trf_data is already registered with"):
            nlp(TEXT)
    finally:
        Doc.set_extension("trf_data", default=None, force=True)


def test_training_says_what_is_missing(nlp):
    nlp.resume_training()
    with pytest.raises(SelectraError, match=r"nlp\.rehearse cannot train a component that shares"):
        nlp.rehearse([example(nlp)])
    with (
        nlp.select_pipes(disable=["transformer"]),
        pytest.raises(SelectraError, match="annotating_components"),
    ):
        nlp.update([example(nlp)], exclude=["vectors"])
    losses: dict[str, float] = {}
    nlp.update([example(nlp)], losses=losses)
    assert losses["tagger"] > 0
