"""`serve`: contract of the HTTP answers, refusals, and a clean stop."""

import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from email.message import Message
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import spacy

from spacy_selectra.errors import SelectraError
from spacy_selectra.serving.service.limits import Limits
from spacy_selectra.serving.service.server import AnnotationServer
from tests.processes import HANGS, NEW_PROCESSES, Running, command

TEXT = "El niño comió piñón en Cádiz."


@contextmanager
def running(server: AnnotationServer):
    thread = threading.Thread(target=server.serve_until_stopped)
    thread.start()
    yield server.url
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def url(pipeline):
    nlp, limits = spacy.load(pipeline), Limits(body=2000)
    with running(AnnotationServer(nlp, "127.0.0.1", 0, limits, quiet=True)) as url:
        yield url


def call(url: str, body: object = None, path: str = "/annotate") -> tuple[int, dict]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
    try:
        with urlopen(Request(url + path, data=data), timeout=HANGS) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_health(url):
    status, answer = call(url, path="/health")
    assert (status, answer["status"], answer["pipeline"]) == (200, "ok", "es_selectra_test")
    assert answer["components"] == ["transformer", "ner", "textcat", "zero_shot", "replaced"]


def test_one_text(url):
    status, answer = call(url, {"text": TEXT})
    assert (status, answer["text"]) == (200, TEXT)
    assert set(answer) == {"text", "ents", "cats", "replaced"}


def test_several_texts_with_labels(url):
    status, answer = call(url, {"texts": [TEXT, ""], "labels": ["cine", "año"]})
    assert status == 200
    assert [set(doc["zero_shot"]) for doc in answer["docs"]] == [{"cine", "año"}] * 2


def test_many_clients_at_once(url):
    with ThreadPoolExecutor(40) as clients:
        answers = list(clients.map(lambda _: call(url, path="/health"), range(40)))
    assert [status for status, _ in answers] == [200] * 40


@pytest.mark.parametrize("path", ["/annotate", "/elsewhere"])
def test_a_large_body_gets_its_answer(url, path):
    status, answer = call(url, b'{"text": "' + b"a" * 8_000_000 + b'"}', path)
    assert status == (413 if path == "/annotate" else 404)
    assert "at most 2000" in answer["error"] or "no such page" in answer["error"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"texts": ["hola", "\\ud83d"]}', "'texts[1]': half a surrogate pair at character 1"),
        (b'{"text": "hola", "labels": ["\\ud83d"]}', "'labels[0]': half a surrogate pair"),
        (b'{"\\ud83d": 1}', "unknown key"),
        (b"[" * 1900, "not UTF-8 JSON"),
    ],
)
def test_what_cannot_be_read_is_the_clients_mistake(url, body, message):
    status, answer = call(url, body)
    assert status == 400
    assert message in answer["error"]


def test_parallel_requests_get_their_own_answers(url):
    texts = [f"Niño número {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: call(url, {"text": text}), texts))
    assert [answer["text"] for _, answer in answers] == texts


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "not UTF-8 JSON"),
        (b'{"text": "\xe1"}', 400, "not UTF-8 JSON"),
        ([1], 400, "expected a JSON object"),
        ({"texto": "a"}, 400, "unknown key 'texto'"),
        ({"labels": ["a"]}, 400, "either 'text' or 'texts'"),
        ({"text": "a", "texts": ["a"]}, 400, "either 'text' or 'texts'"),
        ({"text": 3}, 400, "'text' must hold a string"),
        ({"text": "a", "labels": "cine"}, 400, "'labels' must hold strings"),
        ({"text": "a", "labels": ["x", "x"]}, 400, "given twice"),
        ({"text": "a" * 3000}, 413, "at most 2000"),
    ],
)
def test_refusals(url, body, status, message):
    found, answer = call(url, body)
    assert found == status
    assert message in answer["error"]


def test_unknown_pages(url):
    assert call(url, path="/other")[0] == 404
    assert call(url, {"text": "a"}, path="/other")[0] == 404


def ask(url: str, method: str, path: str) -> tuple[int, Message, bytes]:
    try:
        with urlopen(Request(url + path, method=method), timeout=HANGS) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.mark.parametrize("path", ["/annotate", "/annotate/", "/annotate?x=1", "/annotate/?x=1#y"])
def test_slashes_and_queries_lead_to_the_same_page(url, path):
    assert call(url, {"text": TEXT}, path)[0] == 200
    assert call(url, path=path.replace("annotate", "health"))[0] == 200


def test_a_byte_order_mark_before_the_body(url):
    body = b"\xef\xbb\xbf" + json.dumps({"text": TEXT}).encode()
    assert call(url, body)[1]["text"] == TEXT


def test_head_says_what_get_says_without_a_body(url):
    status, headers, body = ask(url, "HEAD", "/health")
    length = ask(url, "GET", "/health")[1]["Content-Length"]
    assert (status, body, headers["Content-Length"]) == (200, b"", length)


@pytest.mark.parametrize(
    ("path", "allowed"), [("/annotate", "POST, OPTIONS"), ("/health/", "GET, HEAD, OPTIONS")]
)
def test_options_and_wrong_methods_name_the_right_ones(url, path, allowed):
    status, headers, body = ask(url, "OPTIONS", path)
    assert (status, headers["Allow"], body) == (204, allowed, b"")
    for method in {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH"} - set(allowed.split(", ")):
        status, headers, body = ask(url, method, path)
        assert (status, headers["Allow"]) == (405, allowed)
        if method != "HEAD":
            assert json.loads(body)["error"].endswith(f"does not take {method}, only {allowed}")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
def test_unknown_pages_with_any_method(url, method):
    status, _, body = ask(url, method, "/other?x=/annotate")
    assert status == 404
    assert method == "HEAD" or "no such page" in json.loads(body)["error"]


def test_port_that_is_taken(url, pipeline):
    with pytest.raises(SelectraError, match="cannot listen on"):
        AnnotationServer(spacy.blank("es"), "127.0.0.1", int(url.rsplit(":", 1)[1]), Limits())


def test_a_client_that_does_not_finish_its_request_is_dropped(pipeline):
    limits = Limits(silence=0.05)
    with running(AnnotationServer(spacy.load(pipeline), "127.0.0.1", 0, limits, quiet=True)) as url:
        host, port = url.removeprefix("http://").split(":")
        head = b"POST /annotate HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
        for begun, answer in (
            (b"", b""),
            (head, b""),
            (head + b"\r\n{", b"HTTP/1.1 408 Request Timeout"),
        ):
            with socket.create_connection((host, int(port)), HANGS) as client:
                client.sendall(begun)
                received = b"".join(iter(lambda: client.recv(1 << 16), b""))
                assert received.split(b"\r\n")[0] == answer


def test_a_body_without_a_stated_length(url):
    parts = iter([b'{"text": ', b'"hola"}'])
    request = Request(url + "/annotate", data=parts)
    with urlopen(request, timeout=HANGS) as answer:
        assert json.load(answer)["text"] == "hola"
    status, answer = call(url, path="/annotate?")
    assert (status, answer["error"]) == (405, "/annotate does not take GET, only POST, OPTIONS")
    with socket.create_connection(url.removeprefix("http://").split(":"), HANGS) as client:
        client.sendall(b"POST /annotate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert received.startswith(b"HTTP/1.1 411 ")
    assert b"Content-Length is missing" in received


@spacy.Language.factory("waits_for_file", default_config={"path": ""})
def make_waiting(nlp: spacy.Language, name: str, path: str):
    """A component that waits until there is a file."""

    def wait(doc):
        while not Path(path).exists():
            time.sleep(0.01)
        return doc

    return wait


def serve_waiting(path: str, address: Connection) -> None:
    nlp = spacy.blank("es")
    nlp.add_pipe("waits_for_file", config={"path": path})
    server = AnnotationServer(nlp, "127.0.0.1", 0, Limits(waiting=20), quiet=True)
    address.send(server.url)
    server.serve_until_stopped()


def test_all_requests_under_way_are_answered_after_sigterm(tmp_path):
    go_on = tmp_path / "go_on"
    receiving, sending = NEW_PROCESSES.Pipe(duplex=False)
    service = Running(serve_waiting, str(go_on), sending)
    url = receiving.recv()
    with ThreadPoolExecutor(40) as clients:
        asked = [clients.submit(call, url, {"text": f"Niño {n}"}) for n in range(40)]
        refused = set(islice(as_completed(asked, HANGS), 20))
        assert {each.result()[0] for each in refused} == {429}
        os.kill(service.process.pid, signal.SIGTERM)  # the other twenty are in, and wait
        go_on.touch()
        for number, each in enumerate(asked):
            if each not in refused:
                status, answer = each.result()
                assert (status, answer.get("text")) == (200, f"Niño {number}")
    ended = service.wait()
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_command_starts_answers_and_stops_on_sigterm(pipeline):
    service = Running(command, "serve", str(pipeline), "--port", "0")
    url = service.first_line().split()[-1]
    assert call(url, {"text": TEXT})[0] == 200
    service.process.terminate()
    assert service.wait().returncode == 0
