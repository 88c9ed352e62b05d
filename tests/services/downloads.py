"""
Downloads the programs of the test servers with Maven and apt into a folder that git ignores. Later runs need no
network.

A folder is complete only if it contains its manifest. The manifest contains the SHA-256 of each file. Each process
verifies the files once.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.debian import install

KAFKA_VERSION = "4.4.0"
APICURIO_VERSION = "2.6.13.Final"

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{kafka}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def cache_folder() -> Path:
    """
    Return the folder for downloads. The variable EVENT_BUS_KAFKA_SERVICES_CACHE can name another folder, so that
    several clones can share it.
    """
    default = Path(__file__).parent.parent.parent / ".services"
    return Path(os.environ.get("EVENT_BUS_KAFKA_SERVICES_CACHE") or default).absolute()


@functools.cache
def kafka_jars() -> Path:
    """Return the folder of Kafka's jar files."""
    return fetched(f"kafka-{KAFKA_VERSION}", _fetch_kafka)


@functools.cache
def apicurio() -> Path:
    """Return the folder of the Apicurio registry."""
    return fetched(f"apicurio-{APICURIO_VERSION}", _fetch_apicurio)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """While the block runs, lock a folder, so that only one process at a time downloads or installs."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetched(name: str, fetch: Callable[[Path], None]) -> Path:
    """Return a folder of the cache. If the folder is incomplete, ``fetch`` fills it first."""
    folder = cache_folder() / name
    with locked(cache_folder()):
        if not _is_complete(folder):
            print(f"Fetching {name} …", file=sys.stderr, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            fetch(folder)
            _manifest(folder).write_text(json.dumps(_digests(folder)))
    return folder


def _fetch_kafka(folder: Path) -> None:
    pom = folder / "pom.xml"
    pom.write_text(_POM.format(kafka=KAFKA_VERSION))
    _maven("dependency:copy-dependencies", "-f", str(pom), f"-DoutputDirectory={folder}")
    pom.unlink()


def _fetch_apicurio(folder: Path) -> None:
    artifact = f"io.apicurio:apicurio-registry-app:{APICURIO_VERSION}:tar.gz:all"
    _maven("dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian's Python 3.11.2 lacks data_filter
        tar.extractall(folder)
    archive.unlink()


def _maven(*arguments: str) -> None:
    _install_tools()
    command = ["mvn", "-q", "-B", *arguments]
    done = subprocess.run(command, cwd=cache_folder(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _install_tools() -> None:
    tools = {"java": "openjdk-17-jre-headless", "mvn": "maven"}
    install(*(package for tool, package in tools.items() if shutil.which(tool) is None))


def _is_complete(folder: Path) -> bool:
    try:
        wanted = json.loads(_manifest(folder).read_text())
    except (OSError, ValueError):
        return False
    return bool(wanted) and wanted == _digests(folder)


def _manifest(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sha256.json")


def _digests(folder: Path) -> dict[str, str]:
    """
    Return the SHA-256 of each file except bytecode, because Python writes bytecode when it imports from the folder.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return {str(path.relative_to(folder)): _digest(path) for path in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
