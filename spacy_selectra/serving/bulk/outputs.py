"""Output formats of `annotate`: files are written as parts, which are joined in order."""

from __future__ import annotations

import base64
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from spacy_selectra.corpus.compression import compressed, split_suffix
from spacy_selectra.errors import SelectraError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

JSON_KINDS = (".jsonl", ".ndjson", ".json", "")
OUTPUTS = (".jsonl", ".ndjson", ".parquet", ".spacy")


class Output(ABC):
    """Serialises rows as one part, and joins parts to a file."""

    @abstractmethod
    def add(self, values: Mapping[str, Any], record: Mapping[str, Any], doc: Doc) -> None:
        """Add a row with its annotations.

        Args:
            values: columns of the row, with its text.
            record: the result of `describe`.
            doc: the document; not to be stored beyond this call.

        Raises:
            ValueError: a value that the format does not support; the row is not added.
        """

    @abstractmethod
    def part(self) -> bytes:
        """The added rows, serialised."""

    @staticmethod
    @abstractmethod
    def join(parts: Sequence[Path], path: Path) -> None:
        """Concatenate the parts to one file."""


def output_class(path: str) -> type[Output]:
    """The output format of a file name.

    Raises:
        SelectraError: unknown format, or compression of a format with internal compression.
    """
    kind, compression = split_suffix(path)
    if kind in JSON_KINDS:
        return JsonLines
    known = {".parquet": ParquetTable, ".spacy": Documents}
    if kind not in known:
        raise SelectraError(f"{path}: unknown format (use {', '.join(OUTPUTS)})")
    if compression:
        raise SelectraError(f"{path}: {kind} files are compressed internally; omit {compression}")
    return known[kind]


def new_output(path: str, nlp: Language, text_key: str, types: Any = None) -> Output:
    """An empty part of the file `path`.

    Args:
        path: the output file.
        nlp: the pipeline.
        text_key: column of the text.
        types: pyarrow schema of the input columns, if known.
    """
    kind = output_class(path)
    if kind is ParquetTable:
        return ParquetTable(types)
    if kind is Documents:
        return Documents(nlp, text_key)
    return JsonLines(split_suffix(path)[1])


class JsonLines(Output):
    """JSON lines in UTF-8, also compressed: each part is a complete member of the file."""

    def __init__(self, compression: str = "") -> None:
        self._compression = compression
        self._lines: list[bytes] = []

    def add(self, values: Mapping[str, Any], record: Mapping[str, Any], doc: Doc) -> None:
        """Add a row with its annotations."""
        self._lines.append(json_line({**values, **record}))

    def part(self) -> bytes:
        """The added rows, serialised."""
        return compressed(b"".join(self._lines), self._compression)

    @staticmethod
    def join(parts: Sequence[Path], path: Path) -> None:
        """Concatenate the parts to one file."""
        join_bytes(parts, path)


class ParquetTable(Output):
    """A Parquet table, for pandas, DuckDB and Spark.

    `ents` and `replaced` are lists of structs, `cats` and `zero_shot` maps from label to score.
    Other columns keep their type of a Parquet input, or have the type of their values. Columns with
    mixed types (numbers and text) become text: strings unchanged, other values as JSON.
    """

    def __init__(self, types: Any = None) -> None:
        self._types = types
        self._rows: list[dict[str, Any]] = []

    def add(self, values: Mapping[str, Any], record: Mapping[str, Any], doc: Doc) -> None:
        """Add a row with its annotations."""
        json_line(values)  # raises an error for text that cannot be encoded
        self._rows.append({**values, **record})

    def part(self) -> bytes:
        """The added rows, serialised."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        known = dict(zip(self._types.names, self._types.types, strict=True)) if self._types else {}
        known |= annotation_types()
        names = dict.fromkeys(name for row in self._rows for name in row)
        columns = {
            name: _column([row.get(name) for row in self._rows], known.get(name)) for name in names
        }
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        return sink.getvalue().to_pybytes()

    @staticmethod
    def join(parts: Sequence[Path], path: Path) -> None:
        """Concatenate the parts to one file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _common_schema(pq.read_schema(part) for part in parts)
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            waiting: list[Any] = []
            for part in parts:
                waiting.append(_cast(pq.read_table(part), schema))
                if sum(table.nbytes for table in waiting) > _ROW_GROUP:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting = []
            if waiting:
                writer.write_table(pa.concat_tables(waiting))


# Size of a row group in memory (bytes): readers load several at a time, and skip others.
_ROW_GROUP = 64 << 20


def annotation_types() -> dict[str, Any]:
    """Arrow types of all annotations."""
    import pyarrow as pa

    place = [("start", pa.int64()), ("end", pa.int64())]
    words = [("text", pa.string()), ("score", pa.float64())]
    return {
        "ents": pa.list_(pa.struct([*place, ("label", pa.string()), *words])),
        "cats": pa.map_(pa.string(), pa.float64()),
        "replaced": pa.list_(pa.struct([*place, *words])),
        "zero_shot": pa.map_(pa.string(), pa.float64()),
    }


def _column(values: list[Any], kind: Any) -> Any:
    import pyarrow as pa

    if kind is not None and pa.types.is_map(kind):
        values = [list(item.items()) if isinstance(item, dict) else item for item in values]
    try:
        # without a type, so that keys of only some objects are included
        found = pa.array(values, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return pa.array([_as_text(value) for value in values], pa.string())
    # Parquet does not support objects without keys
    return pa.array(list(map(_as_text, values)), pa.string()) if _hollow(found.type) else found


def _hollow(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.num_fields == 0 or any(map(_hollow, (field.type for field in kind)))
    return pa.types.is_list(kind) and _hollow(kind.value_type)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json_line(value).decode().rstrip("\n")


def _common_schema(schemas: Iterable[Any]) -> Any:
    """A common schema; columns without a common type are text."""
    import pyarrow as pa

    kinds: dict[str, Any] = {}
    for schema in dict.fromkeys(schemas):  # most are the same
        for field in schema:
            kinds[field.name] = _common_type(kinds.get(field.name, pa.null()), field.type)
    return pa.schema(list((kinds or annotation_types()).items()))


def _common_type(one: Any, other: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_struct(one) and pa.types.is_struct(other):
        kinds = {field.name: field.type for field in one}
        for field in other:
            kinds[field.name] = _common_type(kinds.get(field.name, pa.null()), field.type)
        return pa.struct(list(kinds.items()))
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(_common_type(one.value_type, other.value_type))
    try:
        pair = [pa.schema([("column", kind)]) for kind in (one, other)]
        return pa.unify_schemas(pair, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.string()


def _cast(table: Any, schema: Any) -> Any:
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table[field.name]
        if column.type != field.type:
            if field.type == pa.string():
                column = pa.array(list(map(_as_text, column.to_pylist())), pa.string())
            else:
                column = _column(column.to_pylist(), field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


class Documents(Output):
    """spaCy documents (`DocBin`): words, entities, categories, span groups and a parse.

    `doc.user_data["row"]` has the other columns, and `doc.user_data["zero_shot"]` the scores of
    labels. To read scores of entities and words, register the extensions first.
    """

    def __init__(self, nlp: Language, text_key: str) -> None:
        from spacy.tokens import DocBin

        self._text_key = text_key

        attrs = ["ORTH", "TAG", "MORPH", "POS", "LEMMA", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID"]
        assigned = {name for pipe in nlp.pipe_names for name in nlp.get_pipe_meta(pipe).assigns}
        attrs += ["HEAD", "DEP"] if "token.dep" in assigned else ["SENT_START"]
        self._bin = DocBin(attrs, store_user_data=True)

    def add(self, values: Mapping[str, Any], record: Mapping[str, Any], doc: Doc) -> None:
        """Add a row with its annotations."""
        kept = {
            key: value
            for key, value in doc.user_data.items()
            if isinstance(key, tuple)
            and key[0] == "._."
            and isinstance(value, (str, int, float, bool))
        }
        others = {key: value for key, value in values.items() if key != self._text_key}
        row = json.loads(json_line(others))
        scores = record.get("zero_shot")
        doc.user_data = {**kept, "row": row, **({"zero_shot": scores} if scores else {})}
        self._bin.add(doc)

    def part(self) -> bytes:
        """The added rows, serialised."""
        return self._bin.to_bytes()

    @staticmethod
    def join(parts: Sequence[Path], path: Path) -> None:
        """Concatenate the parts to one file."""
        from spacy.tokens import DocBin

        whole = None
        for part in parts:
            found = DocBin(store_user_data=True).from_bytes(part.read_bytes())
            if whole is None:
                whole = found
            else:
                whole.merge(found)
        (whole or DocBin()).to_disk(path)


def join_bytes(parts: Sequence[Path], path: Path) -> None:
    """Concatenate files."""
    with path.open("wb") as whole:
        for part in parts:
            with part.open("rb") as stream:
                shutil.copyfileobj(stream, whole)


def json_line(value: Any) -> bytes:
    """A line of JSON in UTF-8; other types such as dates become text, NaN and infinity null.

    Raises:
        ValueError: text with half a surrogate pair, or an object of an unknown class.
    """
    try:
        line = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except RecursionError as error:
        raise ValueError("one of its columns is nested too deeply") from error
    except ValueError:
        line = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=_plain)
    try:
        return (line + "\n").encode()
    except UnicodeEncodeError as error:
        raise ValueError("half a surrogate pair in one of its columns") from error


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    raise ValueError(f"a {type(value).__name__}, which JSON does not support, in a column")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
