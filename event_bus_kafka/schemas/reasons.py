"""
Explains in words why one schema cannot read data of another (Avro 1.11, "Schema Resolution"). ``verdict.py`` decides
whether it can.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from event_bus_kafka.schemas.named_types import JsonSchema, described, kind_of, names_in, resolved, simple_name

_PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "string": {"bytes"},
    "bytes": {"string"},
}
"""Reader's type → other types of the writer that the reader's type accepts."""


def reasons(reader: str, writer: str) -> list[str]:
    """Return one sentence per reason why the reader's schema (JSON text) cannot read data of the writer's schema."""
    read, written = json.loads(reader), json.loads(writer)
    return list(dict.fromkeys(_Comparison(names_in(read), names_in(written)).of(read, written, "")))


class _Comparison:
    def __init__(self, read_names: dict[str, JsonSchema], written_names: dict[str, JsonSchema]) -> None:
        self._read_names = read_names
        self._written_names = written_names
        self._begun: set[tuple[int, int]] = set()
        """Pairs of records that are being compared, so that a recursive record is compared only once."""

    def of(self, reader: JsonSchema, writer: JsonSchema, path: str) -> Iterator[str]:
        read, written = resolved(reader, self._read_names), resolved(writer, self._written_names)
        if isinstance(written, list):
            for branch in written:
                yield from self.of(read, branch, path)
        elif isinstance(read, list):
            yield from self._of_union(read, written, path)
        elif kind_of(read) == kind_of(written):
            yield from self._of_same_kind(read, written, path)
        elif kind_of(written) not in _PROMOTIONS.get(kind_of(read), ()):
            yield self._mismatch(read, written, path)

    def _of_union(self, read: list[JsonSchema], written: JsonSchema, path: str) -> Iterator[str]:
        attempts = [(branch, list(self.of(branch, written, path))) for branch in read]
        if all(obstacles for _, obstacles in attempts):
            alike = [found for one, found in attempts if self._kind_read(one) == kind_of(written)]
            yield from alike[0] if alike else [self._mismatch(read, written, path)]

    def _of_same_kind(self, read: JsonSchema, written: JsonSchema, path: str) -> Iterator[str]:
        kind = kind_of(read)
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            yield from self.of(read[inner], written[inner], f"{path}[]")
        if kind in ("record", "enum", "fixed") and not _names_fit(read, written):
            yield _at(path, f"is written as {kind} {simple_name(written)}, and read as {kind} {simple_name(read)}")
        if kind == "fixed" and read["size"] != written["size"]:
            yield self._mismatch(read, written, path)
        if kind == "enum":
            yield from _of_enum(read, written, path)
        if kind == "record":
            yield from self._of_record(read, written, path)

    def _of_record(self, read: JsonSchema, written: JsonSchema, path: str) -> Iterator[str]:
        pair = id(read), id(written)
        if pair in self._begun:
            return
        self._begun.add(pair)
        fields = {field["name"]: field for field in written["fields"]}
        for field in read["fields"]:
            field_path = f"{path}.{field['name']}".lstrip(".")
            found = next((fields[name] for name in (field["name"], *field.get("aliases", ())) if name in fields), None)
            if found is not None:
                yield from self.of(field["type"], found["type"], field_path)
            elif "default" not in field:
                yield _at(field_path, "has no default where it is read, and is not written")
        self._begun.discard(pair)

    def _mismatch(self, read: JsonSchema, written: JsonSchema, path: str) -> str:
        written_as, read_as = described(written, self._written_names), described(read, self._read_names)
        if written_as == "null":
            return _at(path, f"may be written as null, and is read as {read_as}")
        return _at(path, f"is written as {written_as}, and read as {read_as}")

    def _kind_read(self, branch: JsonSchema) -> str:
        return kind_of(resolved(branch, self._read_names))


def _of_enum(read: JsonSchema, written: JsonSchema, path: str) -> Iterator[str]:
    unknown = [symbol for symbol in written["symbols"] if symbol not in read["symbols"]]
    if unknown and read.get("default") not in read["symbols"]:
        yield _at(
            path, f"may be written as {', '.join(unknown)}, which enum {simple_name(read)} lacks where it is read"
        )


def _names_fit(read: JsonSchema, written: JsonSchema) -> bool:
    aliases = {alias.rpartition(".")[2] for alias in read.get("aliases", ())}
    return simple_name(written) in {simple_name(read), *aliases}


def _at(path: str, reason: str) -> str:
    return f"{path} {reason}" if path else f"the event {reason}"
