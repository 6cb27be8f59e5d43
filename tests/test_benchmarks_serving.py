"""The comparison of precisions runs; what it measures is for whoever starts it."""

from __future__ import annotations

from tests.benchmark import record, run


def test_serving():
    printed = run(
        "serving.py",
        *("--preset", "tiny", "--batch", "2x7", "3x5"),
        *("--only", "fp32", "bf16", "--repeats", "1", "--threads", "1"),
    )
    rows = record(printed)["encoder"]
    named = [(row["batch"], row["precision"]) for row in rows]
    assert named == [("2x7", "fp32"), ("2x7", "bf16"), ("3x5", "fp32"), ("3x5", "bf16")]
    assert rows[0]["lowest_cosine"] > rows[1]["lowest_cosine"] > 0.99
    assert all(row["pieces_per_second"] > 0 for row in rows)
