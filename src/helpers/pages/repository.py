"""How to get the book's repository onto a machine, for the address that `_config.yml` names."""

from __future__ import annotations

from omegaconf import OmegaConf

from helpers.paths import ROOT

FOLDER = "telephone-book"


def address() -> str:
    """The repository's URL; empty where this edition names none."""
    return OmegaConf.load(ROOT / "_config.yml").repository.url or ""


def on_a_machine(repository: str, notebook: str) -> str:
    """Shell commands from nothing to a chapter in JupyterLab."""
    fetch = (f"git clone {repository} {FOLDER} && cd {FOLDER}" if repository else
             f"cd {FOLDER}    # the copy of the book that you were given: it names no address")
    return (f"{fetch}\n"
            "make environment\n"
            ".venv/bin/python -m pip install jupyterlab\n"
            f".venv/bin/jupyter lab notebooks/{notebook}.ipynb")


def on_colab(repository: str) -> str:
    """The cell that goes before a chapter's first one on Colab, which opens a notebook alone."""
    fetch = (f"!git clone --depth 1 {repository} {FOLDER}" if repository else
             "# This copy of the book names no address to clone: put it on a drive, and copy it "
             f"from\n# there to the folder {FOLDER} of Colab's machine.")
    return (f"{fetch}\n"
            f"%pip install --quiet -r {FOLDER}/requirements.lock\n"
            f"%pip install --quiet --no-deps --editable {FOLDER} --editable {FOLDER}/src\n"
            f"%cd {FOLDER}/notebooks")
