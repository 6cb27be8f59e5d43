"""The files of the embedded sample: reproducible, small, disjoint, balanced and valid."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sample_grammar.entities import all_names
from sample_grammar.pools import GENERIC, SPLITS
from sample_grammar.registers.all import TOPICS, lexicon
from sample_grammar.writer import build_sample, write_sample

from spacy_selectra.errors import SelectraError

SAMPLE = Path(__file__).parents[2] / "assets" / "sample"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return build_sample()


def rows(files: dict[str, str], name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in files[name].splitlines()]


def tagged(files: dict[str, str], split: str) -> list[list[tuple[str, str]]]:
    blocks = files[f"ner/{split}.conll"].strip("\n").split("\n\n")
    sentences = [[tuple(line.split(" ")) for line in block.split("\n")] for block in blocks]
    return [[(token, tag) for token, tag in sentence] for sentence in sentences]


def names_in(sentences: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Names with their tags."""
    found: list[tuple[str, list[str]]] = []
    for sentence in sentences:
        for token, tag in sentence:
            if tag.startswith("B-"):
                found.append((tag[2:], [token]))
            elif tag.startswith("I-"):
                found[-1][1].append(token)
    return [(tag, " ".join(tokens)) for tag, tokens in found]


def test_committed_files_are_what_the_generator_writes(files: dict[str, str]) -> None:
    on_disk = {
        str(path.relative_to(SAMPLE).as_posix()): path.read_bytes()
        for path in SAMPLE.rglob("*")
        if path.is_file()
    }
    assert sorted(on_disk) == sorted(files)
    for name, text in files.items():
        assert on_disk[name] == text.encode("utf-8"), name


def test_another_process_with_other_hashes_writes_the_same(tmp_path: Path) -> None:
    code = "from sample_grammar.writer import write_sample; write_sample('{}', 0, 3)"
    trees = []
    for seed in ("1", "2"):
        target = tmp_path / seed
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(SAMPLE.parent), os.environ.get("PYTHONPATH", "")]),
        }
        subprocess.run([sys.executable, "-c", code.format(target)], check=True, env=environment)
        trees.append({p.relative_to(target): p.read_bytes() for p in target.rglob("*.*")})
    assert trees[0] == trees[1]


def test_another_seed_writes_other_sentences(tmp_path: Path) -> None:
    write_sample(tmp_path / "a", seed=1, count=2)
    write_sample(tmp_path / "b", seed=2, count=2)
    for name in ("text/train.txt", "ner/train.conll"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_no_documents_is_an_error() -> None:
    with pytest.raises(SelectraError, match="at least 1"):
        build_sample(count=0)


def test_size(files: dict[str, str]) -> None:
    assert sum(len(text.encode("utf-8")) for text in files.values()) < 2_000_000


def test_text_is_spanish_with_its_accents(files: dict[str, str]) -> None:
    text = files["text/train.txt"]
    letters = [c for c in text if c.isalpha()]
    accented = sum(c in "áéíóúüñÁÉÍÓÚÑ" for c in letters)
    assert 0.02 < accented / len(letters) < 0.06
    for char in "áéíóúüñÁÉÍÓÚÑ¿¡«»—":
        assert char in text, char
    assert len(set(re.findall(r"[^\W\d_]+", text.lower()))) > 3500


def test_documents_are_blocks_of_lines(files: dict[str, str]) -> None:
    for name in ("text/train.txt", "text/heldout.txt"):
        text = files[name]
        assert text.endswith("\n")
        assert "\n\n\n" not in text
        blocks = text.strip("\n").split("\n\n")
        assert len(blocks) > 100
        assert sum(len(b.split("\n")) > 1 for b in blocks) > 0.9 * len(blocks)


@pytest.mark.parametrize("split", SPLITS)
def test_ner_is_valid_iob2(files: dict[str, str], split: str) -> None:
    sentences = tagged(files, split)
    for sentence in sentences:
        before = "O"
        for token, tag in sentence:
            assert token
            assert tag == "O" or re.fullmatch(r"[BI]-(PER|LOC|ORG|MISC)", tag)
            if tag.startswith("I-"):
                assert before[2:] == tag[2:], sentence
            before = tag
    kinds = Counter(tag for tag, _ in names_in(sentences))
    assert min(kinds.values()) > 0.05 * sum(kinds.values()), kinds
    nameless = sum(all(tag == "O" for _, tag in s) for s in sentences)
    assert 0.03 < nameless / len(sentences) < 0.4


def test_ner_sizes(files: dict[str, str]) -> None:
    assert [len(tagged(files, split)) for split in SPLITS] == [1600, 250, 300]


def test_tokens_are_those_of_spacy(files: dict[str, str]) -> None:
    """Aligned with spaCy's Spanish tokenizer: at most 1 token in 500 is cut differently."""
    import spacy

    tokenizer = spacy.blank("es").tokenizer
    wrong = total = 0
    for sentence in tagged(files, "test"):
        tokens = [token for token, _ in sentence]
        text = " ".join(tokens)
        total += len(tokens)
        wrong += abs(len(tokenizer(text)) - len(tokens))
    assert wrong / total < 0.002


def test_names_of_a_split_are_in_no_other(files: dict[str, str]) -> None:
    telling: dict[str, set[str]] = {}
    for split in SPLITS:
        telling[split] = {name for tag, name in names_in(tagged(files, split))}
    for one in SPLITS:
        for other in SPLITS:
            if one != other:
                assert not telling[one] & telling[other]


def test_pools_are_disjoint() -> None:
    names = all_names()
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        first, second = names[one], names[other]
        for pool in first.pools:
            assert first.pools[pool], (one, pool)
            assert not set(first.pools[pool]) & set(second.pools[pool]), pool
        assert not {t.name for t in first.towns} & {t.name for t in second.towns}
        assert not {t.region for t in first.towns} & {t.region for t in second.towns}
        surnames = set(first.pools["surname"]) - GENERIC
        assert not surnames & {t.name for t in second.towns}


def test_fillers_are_disjoint_in_every_class() -> None:
    words = lexicon()
    lemmas: dict[str, set[str]] = {split: set() for split in SPLITS}
    for name in words:
        for split in SPLITS:
            pool = words.pool(name, split)
            assert pool, (name, split)
            if not isinstance(pool[0], str):
                lemmas[split] |= {
                    w[0].lemma if isinstance(w, tuple) else w.lemma  # type: ignore[union-attr]
                    for w in pool
                }
    assert not lemmas["train"] & lemmas["test"]
    assert not lemmas["train"] & lemmas["dev"]
    assert not lemmas["dev"] & lemmas["test"]


def test_no_test_sentence_is_in_the_training_text(files: dict[str, str]) -> None:
    text = files["text/train.txt"]
    for split in ("dev", "test"):
        for row in rows(files, f"topics/{split}.jsonl"):
            assert row["text"] not in text
            for sentence in re.split(r"(?<=[.?!»]) (?=[A-ZÁÉÍÓÚÑ¿¡«])", row["text"]):
                if len(sentence) > 40:
                    assert sentence not in text
    flat = re.sub(r"\W", "", text)
    for split in ("dev", "test"):
        for sentence in tagged(files, split):
            joined = re.sub(r"\W", "", "".join(token for token, _ in sentence))
            assert joined not in flat


def test_no_pair_or_text_is_in_two_splits(files: dict[str, str]) -> None:
    for task in ("topics", "entailment", "paraphrase"):
        seen = [set(files[f"{task}/{split}.jsonl"].splitlines()) for split in SPLITS]
        assert not seen[0] & seen[1]
        assert not seen[0] & seen[2]
        assert not seen[1] & seen[2]


def test_genres_have_nothing_of_the_topics(files: dict[str, str]) -> None:
    """Zero-shot labels learn from genres and are measured on topics."""
    genres, topics = (rows(files, f"{task}/train.jsonl") for task in ("genres", "topics"))
    counts = Counter(row["label"] for row in genres)
    assert len(counts) == 7
    assert set(counts.values()) == {40}
    assert not set(counts) & {row["label"] for row in topics}
    unseen = [rows(files, f"topics/{split}.jsonl") for split in SPLITS]
    assert not {row["text"] for row in genres} & {row["text"] for part in unseen for row in part}


def test_raw_text_names_every_label(files: dict[str, str]) -> None:
    """A label's words are known from text only, where no document has a label."""
    text = Counter(re.findall(r"\w+", files["text/train.txt"].lower()))
    for task in ("genres", "topics"):
        for label in {row["label"] for row in rows(files, f"{task}/train.jsonl")}:
            assert text[label] > 5, label


@pytest.mark.parametrize(("task", "labels"), [("topics", 8), ("entailment", 3), ("paraphrase", 2)])
@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_balanced(files: dict[str, str], task: str, labels: int, split: str) -> None:
    data = rows(files, f"{task}/{split}.jsonl")
    counts = Counter(row["label"] for row in data)
    assert len(counts) == labels
    assert max(counts.values()) - min(counts.values()) <= 1


def test_every_hypothesis_has_every_label(files: dict[str, str]) -> None:
    """So no statistic of the hypothesis, such as a negation, tells the label."""
    for split in SPLITS:
        data = rows(files, f"entailment/{split}.jsonl")
        by_hypothesis: dict[str, Counter[str]] = {}
        for row in data:
            by_hypothesis.setdefault(row["hypothesis"], Counter())[row["label"]] += 1
        for counts in by_hypothesis.values():
            assert len(counts) == 3
            assert len(set(counts.values())) == 1
        negated = Counter(row["label"] for row in data if " no " in row["hypothesis"])
        assert len(set(negated.values())) == 1


def test_topic_hypotheses_name_the_topic_of_the_entailing_premise(files: dict[str, str]) -> None:
    data = rows(files, "entailment/train.jsonl")
    for register in TOPICS:
        hypothesis = f"Este ejemplo es de {register.label}."
        assert sum(row["hypothesis"] == hypothesis for row in data) >= 30


def test_one_word_of_the_premise_does_not_tell_the_label(files: dict[str, str]) -> None:
    """Knowing only whether the premise is negated must leave the label open."""
    data = rows(files, "entailment/train.jsonl")
    negated = Counter(row["label"] for row in data if re.search(r"\b[Nn]o\b", row["premise"]))
    assert max(negated.values()) < 0.7 * sum(negated.values())


def test_paraphrases_share_their_words(files: dict[str, str]) -> None:
    """Overlap of words alone must not separate the labels (PAWS)."""
    overlap: dict[str, list[float]] = {"0": [], "1": []}
    for row in rows(files, "paraphrase/train.jsonl"):
        one, two = (set(re.findall(r"\w+", row[key].lower())) for key in ("sentence1", "sentence2"))
        overlap[row["label"]].append(len(one & two) / len(one | two))
    means = {label: sum(values) / len(values) for label, values in overlap.items()}
    assert min(means.values()) > 0.5
    assert means["0"] >= means["1"] - 0.05


def test_command_writes_the_sample(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "out"), "--documents", "3", "--json"]
    command = [sys.executable, str(SAMPLE.parent / "sample_grammar"), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sizes = json.loads(done.stdout)["files"]
    for name, size in sizes.items():
        assert (tmp_path / "out" / name).stat().st_size == size
    failed = subprocess.run([*command, "--documents", "0"], capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr == "error: 0 documents asked for: at least 1 is needed\n"
