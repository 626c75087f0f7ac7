"""How to get the book's repository onto a machine, for the address that `_config.yml` names."""

from __future__ import annotations

from omegaconf import OmegaConf

from helpers.paths import ROOT

FOLDER = "telephone-book"
UNKNOWN = "ADDRESS_OF_THE_REPOSITORY"


def address() -> str:
    """The repository's URL; a word in capitals where this edition names none."""
    return OmegaConf.load(ROOT / "_config.yml").repository.url or UNKNOWN


def on_a_machine(repository: str, notebook: str) -> str:
    """Shell commands from nothing to a chapter in JupyterLab."""
    return (f"git clone {repository} {FOLDER} && cd {FOLDER}\n"
            "make environment\n"
            ".venv/bin/python -m pip install jupyterlab\n"
            f".venv/bin/jupyter lab notebooks/{notebook}.ipynb")


def on_colab(repository: str) -> str:
    """The cell that goes before a chapter's first one on Colab, which opens a notebook alone."""
    return (f"!git clone --depth 1 {repository} {FOLDER}\n"
            f"%pip install --quiet --editable {FOLDER}\n"
            f"%cd {FOLDER}/notebooks")
