"""The data directory is all that a stack has: a copy of it is the same registry, wherever it is."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.images import Layout, an_image, content_of, digest_of
from tests.clients.registry import Registry
from tests.support.stack import Stack


@pytest.mark.timeout(300)
def test_an_archive_of_the_stopped_stack_is_the_same_registry_elsewhere(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = an_image(layout)
    first = Stack.start(tmp_path / "first")
    Registry(first).push(layout, image, "admin/app", "v1")
    first.account("robot", "admin", "builder")
    first.stop()
    archive = tmp_path / "backup.tar.gz"
    subprocess.run(["tar", "-czf", str(archive), "-C", str(first.data), "."], check=True)
    shutil.rmtree(first.data)
    (tmp_path / "second").mkdir(mode=0o700)

    subprocess.run(["tar", "-xzf", str(archive), "-C", str(tmp_path / "second")], check=True)

    second = Stack.start(tmp_path / "second")
    try:
        registry = Registry(second)
        assert registry.manifest("admin/app", "v1").content == layout.read(image)
        for part in content_of(layout, image):
            assert registry.digest_of_blob("admin/app", part["digest"]) == digest_of(layout.path(part["digest"]))
        registry.push(layout, image, "admin/app", "v2")
    finally:
        second.stop()
