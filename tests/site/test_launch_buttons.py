"""Can a reader of an edition that names its repository run a chapter elsewhere?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from browsing import ROOT, SITE

from helpers.pages import repository
from helpers.site import launch_where_known, travelling

pytestmark = pytest.mark.slow

ADDRESS = "https://github.com/someone/telephone-book"
PAGE = "notebooks/claim_ledger"


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page, built with a repository's address in the settings."""
    folder = tmp_path_factory.mktemp("edition")
    for name in ("book", "notebooks", "src", "configs", "data", "results"):
        (folder / name).symlink_to(ROOT / name)
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    settings["repository"]["url"] = ADDRESS
    (folder / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: {PAGE}\n", encoding="utf-8")
    command = [sys.executable, "-c",
               "from jupyter_book.cli.main import main; main()", "build", ".", "--quiet"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return folder / "_build" / "html"


def test_a_named_repository_opens_the_download_on_colab(edition: Path) -> None:
    """The source has roles that Colab shows raw; the branch is the one that publishing fills."""
    html = (edition / f"{PAGE}.html").read_text(encoding="utf-8")
    place, name = ADDRESS.removeprefix("https://").replace(".com", ""), PAGE.rpartition("/")[2]
    notebook = f"{name}/{name}.ipynb"
    opened = f"https://colab.research.google.com/{place}/blob/{launch_where_known.BRANCH}/{notebook}"
    assert opened in html
    assert (SITE.parent / travelling.FOLDER / notebook).is_file()
    workflow = (ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8")
    assert f"path: _build/{travelling.FOLDER}" in workflow
    assert re.search(rf"git push .* {launch_where_known.BRANCH}\n", workflow)
    loaded = re.findall(r'<(?:img|script|link)\b[^>]*?(?:src|href)="(https?:[^"]+)"', html)
    assert not loaded, "the button's picture comes from elsewhere"


def test_a_download_finds_the_repository_and_the_published_pages(edition: Path) -> None:
    notebook = nbformat.read(edition / "_sources" / f"{PAGE}.ipynb", as_version=4)
    assert f"prepare({ADDRESS!r}, " in notebook.cells[0].source
    tables = [output.data["text/html"] for cell in notebook.cells[1:] if cell.cell_type == "code"
              for output in cell.outputs if "text/html" in output.get("data", {})]
    linked = re.findall(r'href="([^"]+)"', "".join(tables))
    assert linked and all(one.startswith(("#", "https://someone.github.io/telephone-book/"))
                          for one in linked)


def test_an_edition_without_one_offers_nothing() -> None:
    assert "colab.research" not in (SITE / f"{PAGE}.html").read_text(encoding="utf-8")


def test_commands_name_what_is_there() -> None:
    """The folder that is installed, the notebook that is opened and the target of make exist."""
    shell, colab = repository.on_a_machine(ADDRESS, "gpu_box"), repository.on_colab(ADDRESS)
    assert f"git clone {ADDRESS} {repository.FOLDER}" in shell
    assert f"clone --depth 1 {ADDRESS} {repository.FOLDER}" in colab
    assert (ROOT / "pyproject.toml").is_file() and f"--editable {repository.FOLDER}" in colab
    opened, = re.findall(r"notebooks/\w+\.ipynb", shell)
    assert (ROOT / opened).is_file()
    assert re.search(r"^environment:", (ROOT / "Makefile").read_text(), re.MULTILINE)
