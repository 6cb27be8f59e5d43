"""The benchmark of the service runs, and all its requests are answered."""

from pathlib import Path

import pytest

from tests.benchmark import record, run


@pytest.mark.slow
def test_service(pipeline: Path):
    printed = run(
        "service.py",
        *(str(pipeline), "--only", "selectra serve", "FastAPI, def", "--clients", "4"),
        *("--seconds", "0.2", "--rounds", "2", "--stop-after", "0.2", "--words", "5"),
        *("--alone", "0.1"),
    )
    found = record(printed)
    assert found["seconds"] == {"one": 0.2, "many": 0.4}
    assert list(found["services"]) == ["selectra serve", "FastAPI, def"]
    for row in found["services"].values():
        for load in (row["one"], row["many"]):
            assert load["failed"] == {}
            assert load["answered"] > 0
            assert load["p50"] <= load["p99"]
    assert found["stopped"]["status"] == 0
    assert found["stopped"]["failed"] == {}
