"""Files as rows, one after the other: CSV, JSON Lines, Parquet. Never a whole file in memory."""

import codecs
import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, BinaryIO, NamedTuple

from core.errors import UserError
from core.explain import one_of, suggest
from core.imports import columns
from core.imports.columns import Column

ENDINGS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet",
}  # fmt: skip
DELIMITERS = (",", ";", "\t")
# A line before the names by which spreadsheets are told what separates values.
_TOLD = re.compile(r"sep=([,;\t])", re.IGNORECASE)
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
BLOCK = 1 << 20
ROWS_A_BATCH = 5_000
LONGEST_VALUE = 1 << 20
# Bytes: less is a byte order mark and a line's end.
SMALLEST = 6
# A quote that is never closed must not swallow the rows that follow it.
LINES_A_ROW = 20
# What JSON may spell and no text holds, unless it is one of a pair.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class Row(NamedTuple):
    """One row: the line where it starts (from 1), its values by name, and what is wrong with it, or ''."""

    line: int
    values: Any
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was opened and looked at: its rows, and how much of it (0 … 1) has been read by now."""

    rows: Iterator[Row]
    fraction: Callable[[], float]
    close: Callable[[], None]


def open_source(file: Path, kind: str, shape: tuple[Column, ...], format: str | None) -> Source:  # noqa: A002
    """Open a file of a kind; UserError when it is missing, of no known format, or has other columns."""
    if kind not in columns.KINDS:
        raise UserError(f"there is no kind of import '{kind}'; {suggest(kind, columns.KINDS)}")
    _look(file)
    named = format or ENDINGS.get(file.suffix.lower())
    formats = one_of(sorted(OPENERS))
    if format and format not in OPENERS:
        raise UserError(f"there is no format '{format}'; write {formats}")
    if named not in OPENERS and file.suffix.lower() in SHEETS:
        raise UserError(f"{file.name} is a spreadsheet; save it as CSV (UTF-8) and import that")
    if named not in OPENERS:
        raise UserError(f"the format of {file.name} is not clear from its name; say --as {formats}")
    try:
        return OPENERS[named](file, shape)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror or error}); check its permissions") from None


def _look(file: Path) -> None:
    """UserError for what is no file that can be read, and read again from its beginning."""
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"there is no file {file}; check the path") from None
    if S_ISDIR(mode):
        raise UserError(f"{file} is a folder; name a file in it")
    if not S_ISREG(mode):
        raise UserError(f"{file} is a pipe or a device, and a file is read more than once; save it first")


def _open_csv(file: Path, shape: tuple[Column, ...]) -> Source:
    _check_encoding(file)
    with _closed_if_refused(file.open("rb")) as raw:
        first = raw.readline().decode("utf-8-sig")
        told = _TOLD.fullmatch(first.rstrip("\r\n"))
        delimiter = told[1] if told else _delimiter(first)
        raw.seek(0)
        csv.field_size_limit(LONGEST_VALUE)
        records = _records(_lines(raw), delimiter)
        if told:
            next(records)
        names = _names(file, next(records, None), delimiter)
        if not any(names):
            wrong = "is empty; its" if file.stat().st_size < SMALLEST else "begins with an empty line; the"
            raise UserError(f"{file.name} {wrong} first line must name the columns")
        if wrong := columns.fault(shape, names):
            raise UserError(f"{file.name} {wrong}")
        return Source(_csv_rows(records, delimiter, names), _fraction(raw, file), raw.close)


def _names(file: Path, header: tuple[int, str] | None, delimiter: str) -> list[str]:
    """What the first line says."""
    try:
        return (
            [name.strip() for name in next(csv.reader([header[1]], delimiter=delimiter), [])]
            if header
            else []
        )
    except csv.Error as error:
        ends = "its lines end in CR alone" if header and "\r" in header[1].rstrip("\r\n") else str(error)
        raise UserError(
            f"{file.name} is no CSV as others write it ({ends}); save it anew and import it again"
        ) from None


@contextmanager
def _closed_if_refused(raw: BinaryIO) -> Iterator[BinaryIO]:
    try:
        yield raw
    except BaseException:
        raw.close()
        raise


def _lines(raw: BinaryIO) -> Iterator[str]:
    """Lines of text with their ends, which a quoted value may span."""
    for number, line in enumerate(raw):
        yield line.decode("utf-8-sig" if number == 0 else "utf-8")


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, str]]:
    """Rows as text, with the line where each starts. A quoted value may span a few lines, not a file, and
    a sign within a value (`TV 32"`) opens none.
    """
    number, ahead = 0, deque[str]()
    while True:
        taken = [ahead.popleft() if ahead else next(lines, "")]
        if not taken[0]:
            return
        quotes = taken[0].count('"')
        opened = quotes % 2 and _is_open(taken[0], delimiter)
        while opened and quotes % 2 and len(taken) < LINES_A_ROW:
            following = ahead.popleft() if ahead else next(lines, "")
            if not following:
                break
            taken.append(following)
            quotes += following.count('"')
        if quotes % 2:
            ahead.extendleft(reversed(taken[1:]))
            del taken[1:]
        yield number + 1, "".join(taken)
        number += len(taken)


def _is_open(text: str, delimiter: str) -> bool:
    """Whether a line ends within a quoted value: then it is read on."""
    reader = csv.reader([text, ""], delimiter=delimiter)
    try:
        next(reader, None)
    except csv.Error:
        return True
    return reader.line_num > 1


def _csv_rows(records: Iterator[tuple[int, str]], delimiter: str, names: list[str]) -> Iterator[Row]:
    width = len(names)
    for line, text in records:
        if text.count('"') % 2:
            told = _as_far_as_told(text, delimiter, names)
            yield Row(line, told, "has a quote that is never closed; close it, or double it if it is a sign")
            continue
        try:
            values = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error as error:
            yield Row(line, {}, f"is no CSV ({error}); is a quote not closed?")
            continue
        if len(values) == width:
            yield Row(line, dict(zip(names, values, strict=True)))
        elif values:
            # As far as they can be told apart: a receipt's number rejects its other lines too.
            named: dict[str, Any] = dict(zip(names, values, strict=False))
            if len(values) > width:
                named[""] = values[width:]
            yield Row(line, named, f"has {len(values)} values; the first line names {width} columns")


def _as_far_as_told(text: str, delimiter: str, names: list[str]) -> dict[str, Any]:
    """What stands before an open quote can be told: a receipt's number rejects its other lines, too."""
    with suppress(csv.Error):
        values = next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter), [])
        # What the quote has swallowed is nothing that could be named.
        rest = [values.pop()] if values and _is_open(text, delimiter) else []
        return dict(zip(names, values, strict=False)) | ({"": rest} if rest else {})
    return {}


def _delimiter(header: str) -> str:
    outside = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _check_encoding(file: Path) -> None:
    """Refuse a file that is not UTF-8 before anything of it is brought in."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with file.open("rb") as raw:
        while block := raw.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise UserError(
                    f"{file.name} is not UTF-8 (line {line}); save it as UTF-8 and import it again"
                ) from None
            line += block.count(b"\n")
    if decoder.getstate()[0]:
        raise UserError(f"{file.name} is not UTF-8 (its end is cut off); save it again and import it again")


def _open_json_lines(file: Path, shape: tuple[Column, ...]) -> Source:
    _check_encoding(file)
    raw = file.open("rb")
    return Source(_json_rows(raw, shape), _fraction(raw, file), raw.close)


def _json_rows(raw: BinaryIO, shape: tuple[Column, ...]) -> Iterator[Row]:
    for number, line in enumerate(_lines(raw), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            yield Row(number, line.rstrip("\n"), f"is no JSON ({error.msg} after {error.pos} characters)")
            continue
        except (ValueError, RecursionError):
            yield Row(
                number, line.rstrip("\n"), "has a number of thousands of digits, or brackets without end"
            )
            continue
        if _HALF.search(line) and not _is_text(values):
            yield Row(number, line.rstrip("\n"), "has half a character: \\ud800 to \\udfff come in pairs")
            continue
        if not isinstance(values, dict):
            yield Row(number, values, "is no JSON object; write one object a line")
            continue
        values = _flat(_unwrapped(values))
        yield Row(number, values, _json_fault(values, shape))


def _is_text(values: Any) -> bool:
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _unwrapped(values: dict[str, Any]) -> dict[str, Any]:
    """A line of a rejects file, once mended, goes in as it is."""
    if set(values) == {"line", "reason", "row"} and isinstance(values["row"], dict):
        return dict(values["row"])
    return values


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """`"attributes": {"vip": true}` is the same as `"attributes.vip": true`."""
    if not isinstance(values.get("attributes"), dict):
        return values
    own = {f"{columns.ATTRIBUTE}{name}": value for name, value in values["attributes"].items()}
    return {name: value for name, value in values.items() if name != "attributes"} | own


def _json_fault(values: dict[str, Any], shape: tuple[Column, ...]) -> str:
    lines = values.get("lines")
    if lines is None or not any(column.name == "receipt" for column in shape):
        return columns.fault(shape, values, "field")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines) or not lines:
        return "has 'lines' that are no list of objects"
    head = {name: value for name, value in values.items() if name != "lines"}
    return next((wrong for line in lines if (wrong := columns.fault(shape, [*head, *line], "field"))), "")


def _open_parquet(file: Path, shape: tuple[Column, ...]) -> Source:
    import pyarrow as pa  # slow to import, and only here
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise UserError(f"{file.name} is no Parquet file ({str(error).splitlines()[0]})") from None
    if wrong := columns.fault(shape, parquet.schema_arrow.names):
        parquet.close()
        raise UserError(f"{file.name} {wrong}")
    total = max(1, parquet.metadata.num_rows)
    done = [0]
    return Source(_parquet_rows(parquet, done), lambda: done[0] / total, parquet.close)


def _parquet_rows(parquet: Any, done: list[int]) -> Iterator[Row]:
    """Rows are counted from 1, since a Parquet file has no lines."""
    for batch in parquet.iter_batches(batch_size=ROWS_A_BATCH):
        names = batch.schema.names
        values = [_plain(batch.column(i)) for i in range(batch.num_columns)]
        start = done[0] + 1
        done[0] += batch.num_rows
        for line, row in enumerate(zip(*values, strict=True), start=start):
            yield Row(line, dict(zip(names, row, strict=True)))


def _plain(column: Any) -> list[Any]:
    """Values as Python has them; times of a nanosecond's grain come down to microseconds, and bytes that are
    text are text, as which older tools write it.
    """
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        with suppress(pa.ArrowInvalid):
            column = column.cast(pa.large_string())
    return list(column.to_pylist())


def _fraction(raw: BinaryIO, file: Path) -> Callable[[], float]:
    size = max(1, file.stat().st_size)
    return lambda: min(1.0, raw.tell() / size)


OPENERS: dict[str, Callable[[Path, tuple[Column, ...]], Source]] = {
    "csv": _open_csv,
    "jsonl": _open_json_lines,
    "parquet": _open_parquet,
}
