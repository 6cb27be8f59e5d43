"""Streaming data sets of the Hugging Face Hub, without storing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy_selectra.errors import SelectraError
from spacy_selectra.util.extras import required

HUB_PREFIX = "hub:"


class HubStream:
    """Rows of a data set, numbered from 1.

    Args:
        address: see `parse_hub_address`.
        position: `position()` of an earlier stream, after which to continue. Earlier files of the
            data set are not read again; the current one is, from its beginning.

    Raises:
        SelectraError: while reading, if it cannot be opened or stops before its end.
    """

    def __init__(self, address: str, position: Mapping[str, Any] | None = None) -> None:
        self._address = address
        self._row = 0 if position is None else int(position["row"])
        self._state = None if position is None else position["state"]
        self._data: Any = None

    def __iter__(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        name, config, split = parse_hub_address(self._address)
        datasets = required("datasets")

        try:
            self._data = datasets.load_dataset(name, config, split=split, streaming=True)
            if self._state is not None:
                self._data.load_state_dict(self._state)
            rows = iter(self._data)
        except Exception as error:  # errors of datasets and huggingface-hub have no common base
            raise SelectraError(f"{self._address}: cannot be opened ({error})") from error
        while True:
            try:
                row: Any = next(rows)
            except StopIteration:
                return
            except Exception as error:
                raise SelectraError(
                    f"{self._address}: stopped after row {self._row} ({error})"
                ) from error
            self._row += 1
            yield self._row, row

    def position(self) -> dict[str, Any]:
        """The position after the last row, as JSON values."""
        state = self._state if self._data is None else self._data.state_dict()
        return {"row": self._row, "state": state}


def hub_records(source: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """All rows of a data set from its beginning, see `HubStream`."""
    return iter(HubStream(source))


def parse_hub_address(address: str) -> tuple[str, str | None, str]:
    """`hub:NAME[:CONFIG[:SPLIT]]` as (name, config or None, split); the split is train by default.

    Raises:
        SelectraError: not of that form.
    """
    parts = address.removeprefix(HUB_PREFIX).split(":")
    if not parts[0] or len(parts) > 3:
        raise SelectraError(
            f"{address}: a hub address is hub:NAME[:CONFIG[:SPLIT]], "
            "for example hub:HuggingFaceFW/fineweb-2:spa_Latn"
        )
    name, config, split = (*parts, "", "")[:3]
    return name, config or None, split or "train"
