"""What holds for every run of pytest, tests and notebooks alike."""

import pytest
import warm_kernels

OF_THE_SITE = {"site", "addresses", "browser", "visitor"}
"""Fixtures that need the built site or a browser: whoever asks for one belongs to the tier, and
whoever reads its folder, SITE, without asking."""
LONGEST = ("test_gpu_edition.py", "test_turning.py", "test_anatomy.py", "test_records.py",
           "test_recipes.py")
"""Files that take a minute or more: they come first, so that no worker is alone at the end."""


def pytest_collection_modifyitems(items):
    for item in items:
        code = getattr(getattr(item, "function", None), "__code__", None)
        if OF_THE_SITE & set(getattr(item, "fixturenames", ())) or (
                code and "SITE" in code.co_names):
            item.add_marker(pytest.mark.site)
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_configure():
    warm_kernels.use()


def pytest_sessionfinish():
    """Leave no folder of a training run, though nbval kills its kernels."""
    from helpers.training import run_folders

    run_folders.remove_left_behind()
