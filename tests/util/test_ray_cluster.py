"""Which Ray a command uses, with a stand-in for Ray itself."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.ray_cluster import STARTS, ray_cluster


class Ray(ModuleType):
    """Writes down what it is asked for."""

    def __init__(self):
        super().__init__("ray")
        self.calls, self.connected = [], False
        self.data = ModuleType("ray.data")
        self.data.DataContext = SimpleNamespace(get_current=lambda: SimpleNamespace())

    def is_initialized(self):
        return self.connected

    def init(self, **arguments):
        if arguments["address"] == "nowhere:1":
            raise ConnectionError("nobody answers")
        self.calls.append(arguments)
        self.connected = True

    def shutdown(self):
        self.calls.append("shutdown")
        self.connected = False


@pytest.fixture
def ray(monkeypatch):
    ray = Ray()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", ray.data)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return ray


def test_alone_it_starts_ray_and_stops_it(ray):
    with pytest.raises(KeyError), ray_cluster(3) as yielded:
        assert yielded is ray
        raise KeyError("something else went wrong")
    assert (ray.calls[0]["address"], ray.calls[0]["num_cpus"]) == ("local", 3)
    assert ray.calls[1:] == ["shutdown"]


def test_a_named_cluster_is_joined_as_it_is(ray, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with ray_cluster(3):
        pass
    assert ray.calls[0]["address"] == "head:6379"
    assert "num_cpus" not in ray.calls[0]


def test_who_is_connected_stays_so(ray):
    ray.connected = True
    with ray_cluster(3):
        pass
    assert ray.calls == []


def test_no_cluster_at_the_address(ray, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nowhere:1")
    with (
        pytest.raises(SelectraError, match="no Ray cluster at RAY_ADDRESS=nowhere:1"),
        ray_cluster(1),
    ):
        pass


@pytest.mark.parametrize("failures", [STARTS - 1, STARTS])
def test_ray_that_takes_too_long_to_start(ray, failures):
    init, left = ray.init, [Exception("The current node timed out during startup.")] * failures

    def slow(**arguments):
        if left:
            raise left.pop()
        init(**arguments)

    ray.init = slow
    if failures < STARTS:
        with ray_cluster(1):
            assert ray.connected
    else:
        with (
            pytest.raises(SelectraError, match=r"does not start here .* too busy\? \(The current"),
            ray_cluster(1),
        ):
            pass


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SelectraError, match=r"pip install 'spacy-selectra\[ray\]'"), ray_cluster(1):
        pass
