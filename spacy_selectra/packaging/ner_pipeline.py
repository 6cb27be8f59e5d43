"""A spaCy pipeline from a fine-tuned token classifier, without further training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_selectra.encoder.checkpoint import CONFIG_FILE, load_task_model
from spacy_selectra.encoder.heads import TokenClassifier
from spacy_selectra.errors import SelectraError
from spacy_selectra.util.files import read_json

if TYPE_CHECKING:
    from spacy.language import Language

TRANSFORMER = {"@architectures": "spacy-selectra.SelectraModel.v1", "get_spans": None}
# A word's tag is that of its first piece, as in training (Devlin et al. 2019, section 5.3).
TAGGER = {
    "@architectures": "spacy-selectra.EntityTagger.v1",
    "tok2vec": {
        "@architectures": "spacy-selectra.TransformerListener.v1",
        "pooling": {"@layers": "spacy-selectra.reduce_first.v1"},
    },
}


def is_token_classifier(directory: str | Path) -> bool:
    """Whether a directory has an ELECTRA token classifier, such as `finetune` writes."""
    path = Path(directory) / CONFIG_FILE
    return path.is_file() and any(
        name.endswith("ForTokenClassification") for name in read_json(path).get("architectures", [])
    )


def entity_pipeline(directory: str | Path, lang: str = "es") -> Language:
    """A pipeline of `transformer` and `ner` (factory `selectra_ner`) with a classifier's weights.

    It predicts the same entities as the classifier, for spaCy's tokens.

    Args:
        directory: ELECTRA token classifier with tokenizer and the labels O and then B and I of
            each type (`finetune` for entities).
        lang: language of spaCy's tokenizer.

    Raises:
        SelectraError: there is no such classifier, or it has other labels.
    """
    import spacy
    from spacy.training import Example

    classifier = load_task_model(TokenClassifier, directory)
    types = entity_types(classifier.labels, directory)
    nlp = spacy.blank(lang)
    nlp.add_pipe("transformer", config={"model": {**TRANSFORMER, "name": str(directory)}})
    tagger: Any = nlp.add_pipe("selectra_ner", name="ner", config={"model": TAGGER})
    for name in types:
        tagger.add_label(name)
    doc = nlp.make_doc("Hola")
    nlp.initialize(lambda: [Example(doc, doc)])
    output = tagger.model.get_ref("output_layer")
    weights = classifier.head.state_dict()
    for name, stored in (("W", "weight"), ("b", "bias")):
        output.set_param(name, output.ops.asarray(weights[stored].numpy()))
    return nlp


def entity_types(tags: list[str], where: str | Path) -> list[str]:
    """Entity types, from tags in the order O, B-X, I-X, B-Y, I-Y, ...

    Raises:
        SelectraError: the tags are in another order or not of entities.
    """
    types = [tag.removeprefix("B-") for tag in tags[1::2]]
    if not types or tags != ["O", *(f"{action}-{name}" for name in types for action in "BI")]:
        raise SelectraError(
            f"{where}: its labels are not O and then B and I of each type of entities "
            f"(found: {', '.join(tags[:9])})"
        )
    return types
