"""configs/pipeline.cfg, and what it is made of: treebanks, mixed corpora, components that leave
documents out which lack their annotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from thinc.api import Model

from spacy_selectra.components.architectures.tagger import word_tagger
from spacy_selectra.components.corpora.conllu import conllu_reader
from spacy_selectra.components.corpora.labelled import conll_reader, text_reader
from spacy_selectra.components.corpora.mixed import mixed_reader
from spacy_selectra.components.corpora.replaced import replaced_reader
from spacy_selectra.errors import SelectraError
from spacy_selectra.packaging.assemble import assemble_pipeline
from spacy_selectra.packaging.pipeline_scores import boundaries_f, evaluate_pipeline

CONFIG = Path(__file__).parents[2] / "configs" / "pipeline.cfg"
ROWS = [
    ("1", "Ana", "Ana", "PROPN", "_", "_"),
    ("2", "quiere", "querer", "VERB", "_", "Mood=Ind|Number=Sing"),
    ("3-4", "dárselo", "_", "_", "_", "_"),
    ("3", "dar", "dar", "VERB", "_", "VerbForm=Inf"),
    ("4", "lo", "él", "PRON", "_", "Case=Acc"),
    ("5-6", "al", "_", "_", "_", "_"),
    ("5", "a", "a", "ADP", "_", "_"),
    ("6", "el", "el", "DET", "_", "Number=Sing"),
    ("7", "niño", "niño", "NOUN", "_", "Number=Sing"),
    ("8", ".", ".", "PUNCT", "_", "_"),
]


def conllu(sentences: int) -> str:
    """The sentence above, several times."""
    lines = [
        "\t".join([place, word, lemma, pos, tag, morph, "0", "dep", "_", space])
        for place, word, lemma, pos, tag, morph in ROWS
        for space in ["SpaceAfter=No" if word == "niño" else "_"]
    ]
    return "\n\n".join(["# text = ...\n" + "\n".join(lines)] * sentences) + "\n"


@pytest.fixture
def treebank(tmp_path: Path) -> Path:
    path = tmp_path / "train.conllu"
    path.write_text(conllu(5), encoding="utf-8")
    return path


def read(reader: Any) -> list[Example]:
    return list(reader(spacy.blank("es")))


def test_what_the_tokenizer_keeps_together_is_one_word(treebank: Path):
    doc = read(conllu_reader(treebank))[0].reference
    assert doc.text == "Ana quiere dárselo al niño. "
    assert [token.tag_ for token in doc] == ["PROPN", "VERB", "VERB", "ADP", "NOUN", "PUNCT"]
    assert [token.pos_ for token in doc] == [token.tag_ for token in doc]
    assert doc[2].lemma_ == "dar él"
    assert str(doc[2].morph) == "Case=Acc|VerbForm=Inf"
    assert str(doc[1].morph) == "Mood=Ind|Number=Sing"


def test_sentences_are_joined_in_order(treebank: Path):
    examples = read(conllu_reader(treebank, sentences_per_doc=2))
    assert [len(list(one.reference.sents)) for one in examples] == [2, 2, 1]
    assert not examples[0].predicted.has_annotation("SENT_START")
    assert len(read(conllu_reader(treebank, limit=3))) == 3


def test_only_the_annotations_asked_for_are_kept(treebank: Path):
    doc = read(conllu_reader(treebank, annotations=["tag"]))[0].reference
    assert doc.has_annotation("TAG")
    for other in ("POS", "MORPH", "LEMMA", "SENT_START"):
        assert not doc.has_annotation(other), other


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "empty file"), ("1\tAna\tAna\n", "line 1: 3 fields"), ("# text\n\n", "empty file")],
)
def test_a_malformed_treebank_is_an_error(tmp_path: Path, text: str, message: str):
    path = tmp_path / "bad.conllu"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SelectraError, match=message):
        read(conllu_reader(path))


def test_settings_of_a_treebank_are_checked(treebank: Path):
    with pytest.raises(SelectraError, match="'deps' is not one of"):
        conllu_reader(treebank, annotations=["deps"])
    with pytest.raises(SelectraError, match="sentences_per_doc"):
        conllu_reader(treebank, sentences_per_doc=0)
    with pytest.raises(SelectraError, match="no path"):
        conllu_reader(None)


def texts(*given: str) -> Any:
    def reader(nlp):
        for text in given:
            doc = nlp.make_doc(text)
            yield Example(doc, doc.copy())

    return reader


def test_a_mixed_corpus_repeats_its_sources():
    mixed = mixed_reader(
        {"a": texts("uno", "dos"), "b": texts("tres"), "c": texts("no")}, {"b": 2, "c": 0}
    )
    nlp = spacy.blank("es")
    first = [one.reference.text for one in mixed(nlp)]
    assert first == ["uno", "dos", "tres", "tres"]
    # what a pass does to its documents is not seen by the next
    for one in mixed(nlp):
        one.predicted.user_data["touched"] = True
    assert not any(one.predicted.user_data for one in mixed(nlp))
    other = spacy.blank("es")
    assert next(iter(mixed(other))).reference.vocab is other.vocab


def test_settings_of_a_mixed_corpus_are_checked():
    with pytest.raises(SelectraError, match="no sources"):
        mixed_reader({})
    with pytest.raises(SelectraError, match="no source 'd'"):
        mixed_reader({"a": texts("uno")}, {"d": 1})
    with pytest.raises(SelectraError, match="negative"):
        mixed_reader({"a": texts("uno")}, {"a": -1})


def test_types_can_be_left_out(tmp_path: Path):
    path = tmp_path / "a.conll"
    path.write_text("Ana B-PER\nllegó O\nel B-DATE\nlunes I-DATE\n", encoding="utf-8")
    doc = read(conll_reader(path, label_map={"DATE": ""}))[0].reference
    assert [(one.text, one.label_) for one in doc.ents] == [("Ana", "PER")]
    assert [token.ent_iob_ for token in doc] == ["B", "O", "O", "O"]
    nlp = spacy.blank("es")
    marked = nlp("Ana llegó el lunes")
    marked.ents = [Span(marked, 0, 1, "PER"), Span(marked, 2, 4, "DATE")]
    DocBin(docs=[marked]).to_disk(tmp_path / "a.spacy")
    doc = read(conll_reader(tmp_path / "a.spacy", label_map={"DATE": ""}))[0].reference
    assert [(one.text, one.label_) for one in doc.ents] == [("Ana", "PER")]
    assert [token.ent_iob_ for token in doc] == ["B", "O", "O", "O"]
    rows = tmp_path / "a.jsonl"
    row = {"text": "Ana llegó el lunes", "spans": [[0, 3, "PER"], [10, 18, "DATE"]]}
    named = [{"start": a, "end": b, "label": kind} for a, b, kind in row["spans"]]
    rows.write_text(json.dumps({**row, "spans": named}) + "\n", encoding="utf-8")
    doc = read(conll_reader(rows, label_map={"DATE": ""}))[0].reference
    assert [one.label_ for one in doc.ents] == ["PER"]


def component(nlp: Any, factory: str, examples: list[Example], **settings: Any) -> Any:
    made = nlp.add_pipe(factory, **settings)
    nlp.initialize(lambda: examples)
    return made


def example(nlp: Any, text: str, **annotation: Any) -> Example:
    return Example.from_dict(nlp.make_doc(text), annotation)


def test_documents_without_categories_do_not_count(make_nlp):
    nlp = make_nlp()
    labelled = [
        example(nlp, "Ana", cats={"a": 1.0, "b": 0.0}),
        example(nlp, "Luz", cats={"a": 0.0, "b": 1.0}),
    ]
    others = [example(nlp, "El tren salió"), example(nlp, "Sí.")]
    textcat = component(nlp, "selectra_textcat", labelled)
    scores = np.asarray([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], dtype=np.float32)
    loss, gradient = textcat.get_loss([labelled[0], *others, labelled[1]], scores)
    assert gradient[1:3].any() == 0
    alone_loss, alone = textcat.get_loss(labelled, scores[[0, 3]])
    np.testing.assert_allclose(gradient[[0, 3]], alone)
    np.testing.assert_allclose(alone, (scores[[0, 3]] - np.eye(2)) / 2, atol=1e-6)
    assert loss == pytest.approx(alone_loss)
    with_others = nlp.evaluate([*labelled, *others])
    assert with_others["cats_micro_f"] == nlp.evaluate(labelled)["cats_micro_f"]


def test_documents_without_sentence_starts_do_not_count(make_nlp):
    nlp = make_nlp()
    marked = example(nlp, "Sí. No.", sent_starts=[1, 0, 1, 0])
    other = example(nlp, "Ana vive en Cádiz", cats={"a": 1.0})
    senter = component(nlp, "selectra_senter", [marked])
    scores = [np.full((4, 2), 0.5, dtype=np.float32) for _ in range(2)]
    loss, (own, none) = senter.get_loss([marked, other], scores)
    assert not none.any()
    np.testing.assert_allclose(own[:, 1], [-0.5, 0.5, -0.5, 0.5])
    assert loss == pytest.approx(senter.get_loss([marked], scores[:1])[0])
    assert senter.get_loss([other], scores[1:])[0] == 0


def test_a_capital_after_a_stop_starts_a_sentence(make_nlp):
    nlp = make_nlp()
    marked = example(nlp, "Sí. No.", sent_starts=[1, 0, 1, 0])
    senter = component(nlp, "selectra_senter", [marked])
    output = senter.model.get_ref("softmax")
    output.set_param("b", np.asarray([9.0, -9.0], dtype=np.float32))  # never, says the model
    text = "Vive en EE.UU. Viajó. ¿Dónde? Ana no sabe!\n… pero Eva sí. y más"
    assert [sentence.text for sentence in nlp(text).sents] == [
        *("Vive en EE.UU. Viajó.", "¿Dónde?", "Ana no sabe!\n… pero Eva sí. y más")
    ]
    senter.after_stops = False
    assert len(list(nlp(text).sents)) == 1
    assert [doc.text for doc in nlp.pipe(["", "Sí. No."])] == ["", "Sí. No."]
    with pytest.raises(SelectraError, match="after_stops"):
        senter.after_stops = "yes"


def test_the_gradient_is_a_mean_over_annotated_words():
    width = 3

    def forward(model, docs, is_train):
        return [np.ones((len(doc), width), dtype=np.float32) for doc in docs], lambda back: back

    tok2vec: Model = Model("tok2vec", forward)
    model = word_tagger(tok2vec, nO=2)
    docs = [Doc(spacy.blank("es").vocab, words=list("abc")) for _ in range(2)]
    model.initialize(docs, [np.zeros((3, 2), dtype=np.float32)] * 2)
    model.get_ref("output_layer").set_param("W", np.eye(2, width, dtype=np.float32))
    scores, backprop = model.begin_update(docs)
    assert [one.shape for one in scores] == [(3, 2), (3, 2)]
    given = np.asarray([[1, -1], [0, 0], [2, -2]], dtype=np.float32)
    first, second = backprop([given, np.zeros_like(given)])
    np.testing.assert_allclose(first[:, :2], given / 2)
    assert not second.any()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    lines = [f"El niño número {n} come pan en la calle Mayor de Cádiz ." for n in range(200)]
    path.write_text("\n\n".join([*lines, "Corto"]) + "\n", encoding="utf-8")
    return path


def changed(one: Example, number: int) -> list[int]:
    original = f"El niño número {number} come pan en la calle Mayor de Cádiz .".split()
    words = [token.text for token in one.reference]
    return [place for place, word in enumerate(words) if word != original[place]]


def test_words_are_exchanged_and_said_so(text: Path):
    examples = read(replaced_reader(text, share=0.4, single=0.5, seed=1))
    assert len(examples) == 200  # a paragraph of one word is too short
    counts = []
    for number, one in enumerate(examples):
        places = [span.start for span in one.reference.spans["replaced"]]
        assert places == changed(one, number)
        assert not set(places) & {3, 12}  # neither numbers nor punctuation
        assert "replaced" not in one.predicted.spans
        counts.append(len(places))
    assert set(counts) == {1, 4}
    # 200 throws of a fair coin: 4 standard deviations
    assert abs(counts.count(1) - 100) < 4 * 50**0.5
    firsts = [one.reference[0].text for one in examples if 0 in changed(one, examples.index(one))]
    assert all(word[0].isupper() for word in firsts)
    again = read(replaced_reader(text, share=0.4, single=0.5, seed=1))
    assert [one.reference.text for one in again] == [one.reference.text for one in examples]
    other = read(replaced_reader(text, share=0.4, single=0.5, seed=2))
    assert [one.reference.text for one in other] != [one.reference.text for one in examples]
    cut = read(replaced_reader(text, max_words=6, limit=3))
    assert [len(one.reference) for one in cut] == [6, 6, 6]


def test_settings_of_exchanged_words_are_checked(tmp_path: Path):
    with pytest.raises(SelectraError, match="no path"):
        replaced_reader(None)
    with pytest.raises(SelectraError, match=r"share = 2 is not in \[0, 1\]"):
        replaced_reader("text.txt", share=2)
    path = tmp_path / "one.txt"
    path.write_text("uno uno uno uno uno uno\n", encoding="utf-8")
    with pytest.raises(SelectraError, match="fewer than two distinct words"):
        read(replaced_reader(path))


TAGGER = {
    "@architectures": "spacy-selectra.EntityTagger.v1",
    "tok2vec": {
        "@architectures": "spacy-selectra.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    },
}


def test_replaced_words_are_learnt_from_documents_that_tell_them(make_nlp):
    nlp = make_nlp()
    words = ["Ana", "vive", "en", "Cádiz"]
    told = Doc(nlp.vocab, words=words)
    told.spans["replaced"] = [Span(told, 1, 2, "REPLACED")]
    example = Example(Doc(nlp.vocab, words=words), told)
    other = Example(Doc(nlp.vocab, words=words), Doc(nlp.vocab, words=words))
    found = component(nlp, "selectra_replaced", [example], config={"model": TAGGER})
    logits = np.asarray([[0.0], [1.0], [-1.0], [2.0]], dtype=np.float32)
    loss, (own, none) = found.get_loss([example, other], [logits, logits])
    odds = 1 / (1 + np.exp(-logits[:, 0]))
    truth = np.asarray([0, 1, 0, 0])
    np.testing.assert_allclose(own[:, 0], (odds - truth) / 4, atol=1e-6)
    assert not none.any()
    expected = -np.log(np.where(truth, odds, 1 - odds)).mean()
    assert loss == pytest.approx(expected, rel=1e-5)
    # other words than the reference's: a part of a replaced word is one
    split = Example(
        Doc(
            nlp.vocab,
            words=["Ana", "vi", "ve", "en", "Cádiz"],
            spaces=[True, False, True, True, False],
        ),
        told,
    )
    _, (gradient,) = found.get_loss([split], [np.zeros((5, 1), dtype=np.float32)])
    assert (gradient[:, 0] < 0).tolist() == [False, True, True, False, False]


def test_probabilities_and_spans_of_the_trained_kind(make_nlp):
    nlp = make_nlp()
    doc = Doc(nlp.vocab, words=["Ana", "vive", "\n", "en", "Cádiz"])
    doc.spans["replaced"] = [Span(doc, 1, 2, "REPLACED")]
    found = component(
        nlp, "selectra_replaced", [Example(doc.copy(), doc)], config={"model": TAGGER}
    )
    found.threshold = 0.0
    annotated = nlp("Ana vive\nen Cádiz.")
    scores = [token._.replaced for token in annotated]
    assert [score > 0 for score in scores] == [not token.is_space for token in annotated]
    spans = annotated.spans["replaced"]
    assert [span.text for span in spans] == ["Ana", "vive", "en", "Cádiz", "."]
    np.testing.assert_allclose(spans.attrs["scores"], [score for score in scores if score])
    # a perfect detector, and one that has it the wrong way round
    for values, area in (([0.1, 0.9, 0.0, 0.2, 0.3], 1.0), ([0.9, 0.1, 0.9, 0.9, 0.9], 0.0)):
        judged = doc.copy()
        for token, value in zip(judged, values, strict=True):
            token._.replaced = value
        assert found.score([Example(judged, doc)])["replaced_auc"] == area
    with pytest.raises(SelectraError, match="remove 'upstream'"):
        make_nlp().add_pipe(
            "selectra_replaced", config={"model": TAGGER, "upstream": "transformer"}
        )
    with pytest.raises(SelectraError, match="must be a directory"):
        make_nlp().add_pipe("selectra_replaced", config={"model": 3})


@pytest.fixture(scope="module")
def data(encoder_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Overrides that train the configuration on a few sentences."""
    place = tmp_path_factory.mktemp("joint")
    sentences = [f"Ana B-PER\nve O\n{n} B-NUM\nbarcos O\n. O\n" for n in range(9)]
    rows = [{"text": f"Texto {n}.", "label": "ab"[n % 2]} for n in range(9)]
    for end, text in (
        ("conll", "\n".join(sentences)),
        ("conllu", conllu(9)),
        ("jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
        ("txt", "El niño come pan.\n\nAna vive en una calle de Cádiz.\n"),
    ):
        (place / f"data.{end}").write_text(text, encoding="utf-8")
    kinds = {"entities": "conll", "treebank": "conllu", "topics": "jsonl"}
    paths = {
        f"paths.{name}{split}": str(place / f"data.{end}")
        for name, end in kinds.items()
        for split in ("", "_dev")
    }
    return {
        **paths,
        "paths.text": str(place / "data.txt"),
        "paths.text_dev": str(place / "data.txt"),
        "paths.tags": str(place / "data.conllu"),
        "paths.encoder": str(encoder_directory),
        "names.entities": {"NUM": ""},
        "training.max_steps": 2,
        "training.eval_frequency": 2,
    }


def test_everything_is_learnt_together(data: dict[str, Any], tmp_path: Path):
    train(CONFIG, tmp_path, overrides=data)
    nlp = spacy.load(tmp_path / "model-last")
    assert nlp.pipe_labels["ner"] == ["PER"]
    assert set(nlp.pipe_labels["textcat"]) == {"a", "b"}
    transformer: Any = nlp.get_pipe("transformer")
    assert len(transformer.listening_components) == len(nlp.pipe_names) - 1
    doc = nlp("Ana quiere dárselo al niño. Sí.")
    for annotation in ("SENT_START", "TAG", "POS", "LEMMA", "ENT_IOB"):
        assert doc.has_annotation(annotation, require_complete=annotation != "LEMMA"), annotation
    assert sum(doc.cats.values()) == pytest.approx(1, abs=1e-4)
    scores = nlp.evaluate(
        [
            *conllu_reader(data["paths.treebank"])(nlp),
            *conll_reader(data["paths.entities"], label_map={"NUM": ""})(nlp),
            *text_reader(data["paths.topics"])(nlp),
        ]
    )
    for name in ("tag_acc", "pos_acc", "morph_acc", "lemma_acc", "sents_f", "ents_f", "cats_score"):
        assert scores[name] is not None, name
    assert all(0 < token._.replaced < 1 for token in doc)
    again = spacy.load(tmp_path / "model-last", exclude=["textcat"])
    assert again(doc.text)[0]._.replaced == pytest.approx(doc[0]._.replaced, abs=1e-4)
    assert [token.tag_ for token in again(doc.text)] == [token.tag_ for token in doc]
    assembled = tmp_path / "assembled"
    assemble_pipeline(assembled, ner=tmp_path / "model-last", name="joint", version="0.1.0")
    with pytest.raises(SelectraError, match="detects replaced words already"):
        assemble_pipeline(
            assembled,
            ner=tmp_path / "model-last",
            discriminator=data["paths.encoder"],
            name="joint",
            version="0.1.0",
        )
    measured = evaluate_pipeline(
        spacy.load(assembled),
        data["paths.entities"],
        data["paths.topics"],
        treebank_test=data["paths.treebank"],
    )
    joined = nlp.evaluate(list(conllu_reader(data["paths.treebank"], sentences_per_doc=10)(nlp)))
    for name in ("tag_acc", "pos_acc", "morph_acc", "lemma_acc", "sents_f"):
        assert measured[name] == pytest.approx(joined[name], abs=1e-6), name
    assert {"ents_f", "cats_acc", "replaced_auc", "boundaries_f"} <= measured.keys()


def test_a_wrong_boundary_is_one_error():
    nlp = spacy.blank("es")
    words = ["Sí", ".", "No", ".", "Tal", "vez", "."]
    right = Doc(nlp.vocab, words=words, sent_starts=[True, False, True, False, True, False, False])
    found = Doc(nlp.vocab, words=words, sent_starts=[True, False, True, False, True, True, False])
    assert boundaries_f([Example(right, right)]) == 1
    # two of three are right, and both that there are were found
    assert boundaries_f([Example(found, right)]) == pytest.approx(2 * 2 / 3 / (2 / 3 + 1))


def test_lemmas_that_are_words_are_preferred(make_nlp):
    nlp = make_nlp()
    taught = [
        example(nlp, text, lemmas=lemmas)
        for text, lemmas in (
            ("habló cantó", ["hablar", "cantar"]),
            ("bebió vivió", ["beber", "vivir"]),
            ("Iberdrola ayer", ["Iberdrola", "ayer"]),
        )
    ]
    lemmatizer = component(nlp, "selectra_lemmatizer", taught, config={"min_tree_freq": 1})
    trees = {
        lemmatizer.trees.apply(tree, "reunió"): place
        for place, tree in enumerate(lemmatizer.labels)
    }
    assert {"reunir", "reunió", "reuniar"} <= trees.keys()
    output = lemmatizer.model.get_ref("softmax")
    output.set_param("W", output.get_param("W") * 0)

    def rank(*lemmas: str) -> str:
        biases = np.full(len(trees), -9.0, dtype=np.float32)
        for place, lemma in enumerate(lemmas):
            biases[trees[lemma]] = 3.0 - place
        output.set_param("b", biases)
        return nlp("reunió")[0].lemma_

    assert rank("reuniar", "reunió", "reunir") == "reunir"
    assert rank("reuniar", "reunió") == "reunir"  # the least probable, but a word
    assert rank("reunió", "reunir") == "reunió"  # the first leaves the word as it is
    lemmatizer.top_k = 1
    assert rank("reuniar", "reunir") == "reuniar"
    assert [doc.text for doc in nlp.pipe(["", "habló"])] == ["", "habló"]
