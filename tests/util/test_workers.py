"""Work shared out: the same results in the same order, whoever does it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.util import workers as module
from spacy_selectra.util.workers import Engine


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class Actor:
    """What Ray makes of a class: calls are put off, errors come with the results."""

    def __init__(self, ray: Ray, one: Any) -> None:
        self._ray, self._one = ray, one
        self.call = SimpleNamespace(remote=self._remote)

    def _remote(self, item: Any) -> Callable[[], Any]:
        self._ray.given.append((self, item))
        return lambda: self._one.call(item)


class Ray:
    """A stand-in for the package, which does all work in this process."""

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.given: list[tuple[Actor, Any]] = []
        self.killed: list[Actor] = []
        self.dead = False

    def remote(self, kind: type) -> SimpleNamespace:
        made = SimpleNamespace(remote=lambda make: Actor(self, kind(make)))
        return SimpleNamespace(options=lambda **_: made)

    def get(self, put_off: Callable[[], Any]) -> Any:
        if self.dead:
            raise RayError("the actor died")
        try:
            return put_off()
        except ZeroDivisionError as error:
            raise RayTaskError(error) from error

    def kill(self, actor: Actor) -> None:
        self.killed.append(actor)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    ray = Ray()

    @contextmanager
    def cluster(processors: int):
        yield ray

    monkeypatch.setattr(module, "ray_cluster", cluster)
    return ray


class Divider:
    def __init__(self, dividend: int) -> None:
        self._dividend = dividend

    def __call__(self, divisor: int) -> int:
        return self._dividend // divisor


@pytest.mark.parametrize(("name", "processes"), [("local", 1), ("ray", 1), ("ray", 3)])
def test_results_are_in_order_and_little_is_read_ahead(ray: Ray, name: str, processes: int):
    read = itertools.count(1)
    numbers = (next(read) for _ in range(100))
    with (
        Engine(name, processes) as engine,
        engine.workers(partial(Divider, 5040)) as workers,
    ):
        found = workers.results(numbers)
        assert next(found) == (1, 5040)
        assert next(read) <= 2 * processes + 2
        assert all(result == 5040 // number for number, result in found)
        with pytest.raises(ZeroDivisionError):
            list(workers.results([1, 0, 2]))
    assert len(set(ray.killed)) == (processes if name == "ray" else 0)


def test_ray_gives_items_to_workers_in_turn(ray: Ray):
    with Engine("ray", 3) as engine, engine.workers(partial(Divider, 12)) as workers:
        list(workers.results(range(1, 7)))
        assert [item for actor, item in ray.given if actor is ray.given[0][0]] == [1, 4]
        ray.dead = True
        with pytest.raises(SelectraError, match="a worker process was killed"):
            list(workers.results([1]))


def die(item: int) -> int:
    os._exit(9)


def dying() -> Callable[[int], int]:
    return die


def test_a_dead_process_is_explained():
    with (
        Engine(processes=2) as engine,
        engine.workers(dying) as workers,
        pytest.raises(SelectraError, match="a worker process was killed"),
    ):
        list(workers.results(range(3)))


def test_unknown_engines_and_no_processes():
    with pytest.raises(SelectraError, match=r"unknown engine 'spark' \(known: local, ray\)"):
        Engine("spark")
    with pytest.raises(SelectraError, match="processes must be at least 1"):
        Engine(processes=0)
