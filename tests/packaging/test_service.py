"""The service in this process: answers, limits, batches, and a schema that tells the truth."""

import json
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest
import spacy
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, openapi
from schemathesis.checks import positive_data_acceptance
from typer.testing import CliRunner

from spacy_selectra.cli.app import app as command
from spacy_selectra.serving.service.app import make_app
from spacy_selectra.serving.service.batching import Batcher
from spacy_selectra.serving.service.limits import Limits, Refusal
from tests.processes import HANGS

TEXT = "El niño comió piñón en Cádiz. Después volvió a casa."


@pytest.fixture(scope="module")
def nlp(pipeline):
    return spacy.load(pipeline)


@pytest.fixture(scope="module")
def client(nlp):
    app = make_app(nlp, Limits(body=20_000, texts=8, characters=4_000))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_info_describes_the_pipeline_and_the_limits(client, nlp):
    found = client.get("/info").json()
    assert (found["pipeline"], found["version"]) == ("es_selectra_test", "0.1.0")
    assert [each["name"] for each in found["components"]] == nlp.pipe_names
    assert found["offers"] == {"labels": True, "entity_scores": False, "words": True}
    assert found["limits"] == {"body": 20_000, "texts": 8, "characters": 4_000, "timeout": 60.0}
    assert found["license"] == "MIT"
    assert found["versions"]["spacy"] == spacy.__version__


def test_all_wishes_at_once(client):
    answer = client.post(
        "/annotate",
        json={
            "texts": [TEXT, TEXT.replace("Cádiz", "León")],
            "labels": {"cine": ["cine", "películas"], "mar": "el mar"},
            "hypothesis_template": "Trata de {}.",
            "multi_label": True,
            "sentences": True,
            "words": True,
        },
    )
    first, second = answer.json()["docs"]
    assert set(first) == {"text", "ents", "cats", "replaced", "zero_shot", "sentences", "words"}
    assert set(first["zero_shot"]) == {"cine", "mar"}
    assert [TEXT[s["start"] : s["end"]] for s in first["sentences"]] == [TEXT[:29], TEXT[30:]]
    assert [TEXT[w["start"] : w["end"]] for w in first["words"]][:3] == ["El", "niño", "comió"]
    assert second["text"] == TEXT.replace("Cádiz", "León")


def test_a_template_changes_scores_and_wishes_of_others_do_not(client, nlp):
    plain = {"text": TEXT, "labels": ["cine", "mar"]}
    other = {**plain, "hypothesis_template": "¡Esto va de {}!"}
    wishes = [plain, other, {"text": TEXT}] * 4
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda wish: client.post("/annotate", json=wish).json(), wishes))
    zero_shot = nlp.get_pipe("zero_shot")
    (expected,) = zero_shot.classify([TEXT], ["cine", "mar"])
    (changed,) = zero_shot.classify([TEXT], ["cine", "mar"], hypothesis_template="¡Esto va de {}!")
    for place in range(0, 12, 3):
        assert found[place]["zero_shot"] == pytest.approx(expected, abs=1e-3)
        assert found[place + 1]["zero_shot"] == pytest.approx(changed, abs=1e-3)
        assert "zero_shot" not in found[place + 2]


def test_what_was_cut_is_said(client):
    wish = {"texts": [TEXT, "palabras y más palabras " * 40], "labels": ["cine"]}
    short, long = client.post("/annotate", json=wish).json()["docs"]
    assert "truncated" not in short
    assert long["truncated"] == ["zero_shot"]
    (unlabelled,) = client.post("/annotate", json={"texts": wish["texts"][1:]}).json()["docs"]
    assert "truncated" not in unlabelled


@pytest.mark.parametrize(
    ("wish", "status", "message"),
    [
        ({"texts": ["a"] * 9}, 413, "9 texts, at most 8 are accepted"),
        ({"texts": ["a" * 3_000] * 2}, 413, "6,000 characters, at most 4,000 are accepted"),
        ({"text": "a", "entity_scores": True}, 422, "needs a pipeline with a component selectra_n"),
        ({"text": "a", "labels": ["b " * 500]}, 422, "takes all 64 positions"),
        ({"text": "a", "labels": [" "]}, 400, "'labels' must hold strings that are not empty"),
        ({"text": "a", "labels": {"a": []}}, 400, "'labels' must hold strings that are not empty"),
        ({"text": "a", "hypothesis_template": "nada"}, 400, "has no {} where the label goes"),
        ({"text": "a", "hypothesis_template": 3}, 400, "has no {} where the label goes"),
        ({"text": "a", "words": "yes"}, 400, "'words' must be true or false"),
        ({"text": None}, 400, "'text' must hold a string"),
        ({"text": ["a", "b"]}, 400, "several texts go into 'texts'"),
    ],
)
def test_refusals_are_one_sentence(client, wish, status, message):
    answer = client.post("/annotate", json=wish)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert message in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_pipeline_that_cannot_do_what_is_wanted():
    with TestClient(make_app(spacy.blank("es"))) as client:
        assert client.get("/info").json()["offers"] == {
            "labels": False,
            "entity_scores": False,
            "words": False,
        }
        answer = client.post("/annotate", json={"text": TEXT, "labels": ["a"]})
        assert answer.status_code == 422
        assert "no zero-shot component" in answer.json()["error"]
        assert client.post("/annotate", json={"text": TEXT}).json()["text"] == TEXT
        nlp = spacy.blank("es")
        nlp.max_length = 20
    with TestClient(make_app(nlp)) as client:
        answer = client.post("/annotate", json={"text": TEXT})
        assert answer.status_code == 413
        assert "'text': 52 characters, but at most 20 are allowed" in answer.json()["error"]


def test_a_document_that_fails_is_alone_with_it():
    nlp = spacy.blank("es")

    @spacy.Language.component("refuses_zeros")
    def refuse(doc):
        if "0" in doc.text:
            raise ZeroDivisionError(doc.text)
        return doc

    nlp.add_pipe("refuses_zeros")
    with (
        TestClient(make_app(nlp, Limits(wait=0.5)), raise_server_exceptions=False) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        wishes = [{"text": f"{number}"} for number in range(8)]
        answers = list(pool.map(lambda wish: client.post("/annotate", json=wish), wishes))
    assert [answer.status_code for answer in answers] == [500] + [200] * 7
    assert answers[0].json() == {"error": "ZeroDivisionError"}


class Gate:
    """Reads nothing until it is opened, and keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.reached, self.opened = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, items: list[str]) -> list[str]:
        self.batches.append(list(items))
        self.reached.release()
        assert self.opened.acquire(timeout=HANGS)
        return [item.upper() for item in items]


def test_requests_that_wait_are_read_together_and_in_turn():
    gate = Gate()
    batcher = Batcher(gate, len, Limits(batch=4, wait=0, waiting=4))
    batcher.start()
    first = batcher.submit(["a"])
    assert gate.reached.acquire(timeout=HANGS)
    many = batcher.submit([f"m{n}" for n in range(6)])
    one, given_up = batcher.submit(["o"]), batcher.submit(["x"])
    given_up.cancel()
    last = batcher.submit(["l"])
    with pytest.raises(Refusal, match="4 requests are waiting, at most 4 may; try again later"):
        batcher.submit(["z"])
    for _ in range(4):
        gate.opened.release()
    batcher.close()
    assert (first.result(), one.result(), last.result()) == (["A"], ["O"], ["L"])
    assert many.result() == [f"M{n}" for n in range(6)]
    assert gate.batches == [["a"], ["m0", "o", "l", "m1"], ["m2", "m3", "m4", "m5"]]


def test_a_batch_holds_no_more_characters_than_are_read_quickly():
    gate = Gate()
    batcher = Batcher(gate, len, Limits(wait=0))
    texts = ["a" * 30_000, "b" * 30_000, "c"]
    done = batcher.submit(texts)
    nothing = batcher.submit([])
    for _ in range(3):
        gate.opened.release()
    batcher.start()
    batcher.close()
    assert nothing.result() == []
    assert done.result() == [text.upper() for text in texts]
    assert gate.batches == [texts[:2], texts[2:]]


@spacy.Language.factory("waits")
class Waits:
    """A component that waits until it is told to go on."""

    def __init__(self, nlp: spacy.Language, name: str) -> None:
        self.event = threading.Event()

    def __call__(self, doc):
        assert self.event.wait(HANGS)
        return doc


def waiting_pipeline() -> tuple[spacy.Language, threading.Event]:
    nlp = spacy.blank("es")
    component: Any = nlp.add_pipe("waits")
    return nlp, component.event


def test_a_request_that_takes_too_long_is_given_up():
    nlp, event = waiting_pipeline()
    with TestClient(make_app(nlp, Limits(timeout=0.05))) as client:
        late = client.post("/annotate", json={"text": TEXT})
        assert late.status_code == 503
        assert late.json() == {"error": "not answered in 0.05 seconds; try again later"}
        assert late.headers["Retry-After"] == "1"
        event.set()


def test_more_requests_than_may_wait():
    nlp, event = waiting_pipeline()
    with (
        TestClient(make_app(nlp, Limits(waiting=2, wait=0))) as client,
        ThreadPoolExecutor(3) as pool,
    ):
        asked = [pool.submit(client.post, "/annotate", json={"text": f"{n}"}) for n in range(3)]
        refused = next(as_completed(asked, timeout=HANGS)).result()
        event.set()
        assert "2 requests are waiting, at most 2 may" in refused.json()["error"]
        assert refused.headers["Retry-After"] == "1"
        assert sorted(each.result().status_code for each in asked) == [200, 200, 429]


def test_answers_forbid_pages_of_other_origins(client):
    for path in ("/", "/health", "/nowhere"):
        answer = client.get(path)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def malformed(count: int):
    """Bodies that are no request: cut, mixed up, of wrong types, not UTF-8, not JSON."""
    choose = random.Random(0)
    right = json.dumps({"text": TEXT, "labels": ["cine", "mar"], "words": True}).encode()
    wrong = [None, 1, -1.5, True, [], {}, [[]], {"a": 1}, "\ud800", 1e400, [1], [None], "x"]
    for number in range(count):
        kind = number % 5
        if kind == 0:
            yield right[: choose.randrange(len(right))]
        elif kind == 1:
            yield bytes(choose.randrange(256) for _ in range(choose.randrange(1, 60))) + b"\xff"
        elif kind == 2:
            keys = ["labels", "words", "sentences", "multi_label", "hypothesis_template", "texto"]
            key = choose.choice(keys)
            # what may be left out may be null
            value = choose.choice([1, -1.5, [[]], {"a": 1}, "\ud800", 1e400, [1], [None]])
            yield json.dumps({"text": TEXT, key: value}).encode()
        elif kind == 3:
            key = choose.choice(["text", "texts"])
            value = choose.choice([each for each in wrong if (key, each) not in VALID])
            yield json.dumps({key: value}).encode()
        else:
            yield json.dumps(choose.choice([1, "a", [TEXT], None, {}, {"labels": ["a"]}])).encode()


VALID = [("text", "x"), ("texts", []), ("texts", "x")]


def test_a_thousand_malformed_bodies_are_the_clients_mistake(client):
    for body in malformed(1_000):
        answer = client.post("/annotate", content=body)
        assert 400 <= answer.status_code < 500, body
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("page", "mode"),
    [
        ("POST /annotate", GenerationMode.POSITIVE),
        ("POST /annotate", GenerationMode.NEGATIVE),
        ("GET /health", GenerationMode.POSITIVE),
        ("GET /info", GenerationMode.POSITIVE),
    ],
)
def test_the_schema_tells_the_truth(client, page, mode):
    schema = openapi.from_asgi("/openapi.json", client.app)
    operations = {each.ok().label: each.ok() for each in schema.get_all_operations()}
    assert set(operations) == {"POST /annotate", "GET /health", "GET /info"}

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(case=operations[page].as_strategy(generation_mode=mode))
    def check(case):
        answer = case.call(session=client)
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])
        if mode == GenerationMode.POSITIVE:
            # what is right in form may still be too much, or not for this pipeline
            assert answer.status_code in (200, 413, 422), answer.json()

    check()


def test_without_the_extra_it_is_named(monkeypatch):
    for package in ("fastapi", "uvicorn"):
        monkeypatch.setitem(sys.modules, package, None)
        result = CliRunner().invoke(command, ["serve", "es_selectra_tiny"])
        assert result.exit_code == 1
        assert f"package {package}: pip install 'spacy-selectra[serve]'" in result.stderr
        monkeypatch.undo()
