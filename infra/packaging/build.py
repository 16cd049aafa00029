"""Builds a package: collects its files, seals them, checks the libraries, and describes the result for Terraform."""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from infra.packaging import functions
from infra.packaging.interpreters import interpreter
from infra.packaging.native import refuse_foreign_libraries
from infra.packaging.seal import seal
from infra.packaging.sources import version
from infra.packaging.tree import collect

CHALICE_FILE, MANIFEST_FILE = "chalice.tf.json", "package.json"


@dataclass(frozen=True, slots=True)
class Package:
    """A sealed zip and its functions."""

    path: Path
    version: str
    architecture: str
    runtime: str
    python: Path
    functions: dict[str, dict[str, Any]]
    sha256: str
    size_bytes: int
    unpacked_bytes: int

    @property
    def manifest(self) -> dict[str, Any]:
        """Returns what Terraform checks before it uploads anything; it depends on neither clock nor machine."""
        return {
            "architecture": self.architecture,
            "file": self.path.name,
            "functions": self.functions,
            "runtime": self.runtime,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "unpacked_bytes": self.unpacked_bytes,
            "version": self.version,
        }


def build(project: Path, output: Path, runtime: str, architecture: str | None = None) -> Package:
    """Writes the zip, chalice.tf.json and package.json into `output`, all or none of them. Raises PackageError."""
    config = functions.configuration(project)
    architecture = architecture or functions.configured_architecture(config)
    document = functions.declared(project, architecture, runtime)
    functions.check(document, config)
    python = interpreter(runtime)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cloudberth-package-") as scratch:
        draft = Path(scratch) / f"deployment-{architecture}.zip"
        collect(project, python, architecture, Path(scratch) / "tree")
        seal(Path(scratch) / "tree", python, draft)
        refuse_foreign_libraries(draft, architecture)
        content = draft.read_bytes()
        with ZipFile(draft) as archive:
            unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
    package = Package(
        path=output / draft.name,
        version=version(project),
        architecture=architecture,
        runtime=runtime,
        python=python,
        functions=functions.summary(document),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        unpacked_bytes=unpacked_bytes,
    )
    _replace(package.path, content)
    _replace(output / CHALICE_FILE, _json(document))
    _replace(output / MANIFEST_FILE, _json(package.manifest))
    return package


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    """Replaces a file atomically, so that a reader sees the old file or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
