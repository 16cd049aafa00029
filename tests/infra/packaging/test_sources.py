"""The version of what is packaged is the one that its sources name."""

from pathlib import Path

from chalicelib import __version__
from chalicelib.edge.api.catalog.installation import CHANGELOG
from infra.package import describe
from infra.packaging.build import Package
from infra.packaging.sources import copy_sources, version
from tests.support.stack import ROOT


def test_the_version_is_read_from_the_sources(tmp_path: Path) -> None:
    (tmp_path / "chalicelib").mkdir()
    (tmp_path / "chalicelib" / "__init__.py").write_text('"""A registry."""\n\n__version__ = "7.8.9"\n')

    assert version(tmp_path) == "7.8.9"
    assert version(ROOT) == __version__


def test_sources_that_name_no_version_are_of_an_unknown_one(tmp_path: Path) -> None:
    assert version(tmp_path) == "unknown"


def test_people_and_terraform_are_told_the_version() -> None:
    package = Package(Path("p.zip"), "7.8.9", "of elsewhere", "python3.13", Path("python"), {}, "00", 1, 2)

    assert "  version       7.8.9\n" in describe(package)
    assert package.manifest["version"] == "7.8.9"


def test_the_changelog_lies_where_the_superusers_route_reads_it(tmp_path: Path) -> None:
    copy_sources(ROOT, tmp_path)

    assert tmp_path / CHANGELOG.relative_to(ROOT) == tmp_path / "CHANGELOG.md"
    assert (tmp_path / "CHANGELOG.md").read_text("utf-8") == CHANGELOG.read_text("utf-8")
