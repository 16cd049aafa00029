"""What each client needs on this machine; tests of missing clients are skipped, or fail."""

import importlib.util
import os
import shutil
from dataclasses import dataclass

import pytest

from tests.clients.programs import SEARCH_PATH


@dataclass(frozen=True)
class Needs:
    """What a client needs on this machine; `remedy` says how to install it."""

    remedy: str
    programs: tuple[str, ...] = ()
    module: str = ""
    root: bool = False

    def missing(self) -> str:
        """Returns a sentence about the first thing that is missing; empty if nothing is."""
        for program in self.programs:
            if not shutil.which(program, path=SEARCH_PATH):
                return f"{program} is not installed: {self.remedy}"
        if self.module and not importlib.util.find_spec(self.module):
            return f"the Python module {self.module} is not installed: {self.remedy}"
        if self.root and os.geteuid() != 0:
            return f"{self.programs[0]} keeps its layers as root here: run the tests as root"
        return ""


CLIENTS = {
    "skopeo": Needs("apt-get install skopeo", ("skopeo",)),
    "podman": Needs("apt-get install podman", ("podman",), root=True),
    "buildah": Needs("apt-get install buildah", ("buildah",), root=True),
    "containerd": Needs("apt-get install containerd", ("ctr", "containerd"), root=True),
    "docker": Needs("apt-get install docker.io", ("docker", "dockerd", "ctr", "containerd"), root=True),
    "chromium": Needs("apt-get install chromium", ("chromium",)),
    "docker-registry": Needs("apt-get install docker-registry apache2-utils", ("docker-registry", "htpasswd")),
    "tinyproxy": Needs("apt-get install tinyproxy", ("tinyproxy",)),
    "oras": Needs("pip install oras", module="oras"),
}


def require(name: str) -> None:
    """Skips the test if the client is missing; fails it if CLOUDBERTH_NO_SKIPS is set."""
    missing = CLIENTS[name].missing()
    if missing and os.environ.get("CLOUDBERTH_NO_SKIPS"):
        pytest.fail(f"{name}: {missing} (CLOUDBERTH_NO_SKIPS is set)")
    if missing:
        pytest.skip(f"{name}: {missing}")
