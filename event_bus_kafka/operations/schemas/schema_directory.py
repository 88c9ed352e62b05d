"""
Reads and writes a directory of .avsc files, which is kept in the service's repository. ``<event type>.avsc`` contains
the last exported schema of an event type; ``<event type>@1.avsc``, ``@2`` and so on contain its earlier schemas, oldest
first.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from event_bus_kafka.errors import ConfigurationError


@attrs.frozen
class SchemaDirectory:
    """A directory of schemas."""

    path: Path

    def file_of(self, event_type: str) -> Path:
        """Return the path of the file for an event type's last schema. The file may not exist."""
        return self.path / f"{event_type}.avsc"

    def history(self, event_type: str) -> list[tuple[str, str]]:
        """
        Return file name and schema (JSON text) of each version, oldest first. Raises :class:`ConfigurationError` if a
        file cannot be read or is not JSON.
        """
        files = [*self._former(event_type), self.file_of(event_type)]
        return [(file.name, _read(file)) for file in files if file.exists()]

    def export(self, event_type: str, schema: str, *, replace: bool) -> bool:
        """
        Write a schema to the file of its event type, and return True. If the file already contains an equal schema,
        write nothing and return False. If the file contains a different schema, give the file a numbered name first,
        unless ``replace`` is True. Raises :class:`ConfigurationError` if a file cannot be read or written.
        """
        file = self.file_of(event_type)
        text = json.dumps(json.loads(schema), indent=2, sort_keys=True) + "\n"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if file.exists():
                if json.loads(_read(file)) == json.loads(schema):
                    return False
                if not replace:
                    file.rename(self._numbered(event_type, len(self._former(event_type)) + 1))
            file.write_text(text)
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from error
        return True

    def _former(self, event_type: str) -> list[Path]:
        files: list[Path] = []
        while (file := self._numbered(event_type, len(files) + 1)).exists():
            files.append(file)
        return files

    def _numbered(self, event_type: str, number: int) -> Path:
        return self.path / f"{event_type}@{number}.avsc"


def _read(file: Path) -> str:
    try:
        text = file.read_text()
        json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read as JSON: {error}.") from error
    return text
