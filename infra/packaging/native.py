"""Reads from ELF headers which architecture a package's native libraries were built for."""

from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

from infra.packaging.errors import PackageError
from infra.packaging.sources import CONFIG

ARCHITECTURES = ("arm64", "x86_64")
ELF = b"\x7fELF"
# e_machine: two bytes at offset 18, in the byte order that the byte at offset 5 names (1 little, 2 big).
HEADER_BYTES = 20
MACHINES: Mapping[int, str] = {0xB7: "arm64", 0x3E: "x86_64", 0x03: "i386", 0x28: "arm"}


def refuse_foreign_libraries(package: Path, architecture: str) -> None:
    """Raises PackageError if `architecture` cannot load a library in the zip."""
    with ZipFile(package) as archive:
        for name in sorted(archive.namelist()):
            with archive.open(name) as member:
                built_for = machine(member.read(HEADER_BYTES))
            if built_for not in (None, architecture):
                raise PackageError(
                    f"{package.name} is for {architecture}, but its {name} was built for {built_for}: "
                    f"package it again with --arch {architecture}, or change lambda_architecture in {CONFIG}."
                )


def machine(header: bytes) -> str | None:
    """Returns the architecture in an ELF header by Lambda's name, or None if the file is no ELF file."""
    if len(header) < HEADER_BYTES or not header.startswith(ELF):
        return None
    number = int.from_bytes(header[18:20], "little" if header[5] == 1 else "big")
    return MACHINES.get(number, f"ELF machine {number}")
