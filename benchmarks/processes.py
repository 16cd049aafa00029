"""Reads memory and CPU of process trees from /proc (Linux only)."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
NAMES_BY_MODULE = {"infra.local.gateway": "gateway worker", "infra.local": "supervisor"}
# The third-party servers; every other process of a stack is ours.
SERVERS = frozenset({"weed", "dynoxide", "ministack", "docker-registry"})


@dataclass(frozen=True)
class Memory:
    """Resident memory in bytes: now, and the peak since the process began or since `forget_peaks`."""

    now: int
    peak: int


def tree(roots: list[int]) -> dict[int, str]:
    """Returns the names of the running processes at and below `roots`, by process id."""
    children = defaultdict(list)
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat_fields(int(entry.name))):
            children[int(fields[1])].append(int(entry.name))
    found, waiting = {}, list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found and (PROC / str(pid)).exists():
            found[pid] = _name_of(pid)
            waiting += children[pid]
    return found


def _name_of(pid: int) -> str:
    """Returns the module that a Python process runs, or the name of another program."""
    words = _read(pid, "cmdline").split("\0")
    if "-m" in words[:-1]:
        module = words[words.index("-m") + 1]
        return NAMES_BY_MODULE.get(module, module)
    return os.path.basename(words[0]) or f"process {pid}"


def cpu_seconds(names_by_pid: dict[int, str]) -> dict[str, float]:
    """Returns user and system time in seconds so far, summed by process name."""
    seconds: dict[str, float] = defaultdict(float)
    for pid, name in names_by_pid.items():
        if fields := _stat_fields(pid):
            seconds[name] += (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return seconds


def memory(names_by_pid: dict[int, str]) -> dict[str, Memory]:
    """Returns the resident memory by process name; of several processes with one name, the largest."""
    largest: dict[str, Memory] = {}
    for pid, name in names_by_pid.items():
        sizes = dict(
            line.split(":", 1) for line in _read(pid, "status").splitlines() if line.startswith(("VmRSS", "VmHWM"))
        )
        if len(sizes) == 2:
            one = Memory(now=_kilobytes(sizes["VmRSS"]), peak=_kilobytes(sizes["VmHWM"]))
            known = largest.get(name, one)
            largest[name] = Memory(now=max(known.now, one.now), peak=max(known.peak, one.peak))
    return largest


def forget_peaks(names_by_pid: dict[int, str]) -> None:
    """Resets the peaks (proc(5): writing 5 to clear_refs resets VmHWM)."""
    for pid in names_by_pid:
        (PROC / str(pid) / "clear_refs").write_text("5")


def environment(pid: int) -> dict[str, str]:
    """Returns the environment that a process was started with; empty if it has ended."""
    return dict(entry.split("=", 1) for entry in _read(pid, "environ").split("\0") if "=" in entry)


def listening_on(port: int) -> list[int]:
    """Returns the ids of the user's processes that listen on a loopback port."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and inodes & _open_files(entry)]


def _listening_inodes(port: int) -> set[str]:
    rows = [line.split() for table in ("tcp", "tcp6") for line in (PROC / "net" / table).read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}


def _open_files(process: Path) -> set[str]:
    try:
        return {os.readlink(entry) for entry in (process / "fd").iterdir()}
    except OSError:  # another user's process, or one that has just ended
        return set()


def _stat_fields(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat after the command, which may contain blanks; empty if the process ended."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, file: str) -> str:
    try:
        return (PROC / str(pid) / file).read_text(errors="replace")
    except OSError:  # it has ended since it was listed
        return ""


def _kilobytes(text: str) -> int:
    return int(text.split(maxsplit=1)[0]) * 1024
