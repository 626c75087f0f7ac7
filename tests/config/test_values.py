"""Values as a YAML file shows them: a reader copies them into a config."""

from __future__ import annotations

import pytest

from helpers.config.values import yaml_text


@pytest.mark.parametrize("value, text", [
    (None, "null"), (True, "true"), (5e-6, "5e-6"), (1e-4, "1e-4"), (1.5e-5, "1.5e-5"),
    (0.001, "0.001"), (float("inf"), "inf"), (0.9, "0.9"), (1.0, "1.0"), (-1, "-1"), ("", '""'),
    ([0, 15], "[0, 15]"), (["q", 0.999], "[q, 0.999]"),
])
def test_yaml_text(value, text):
    assert yaml_text(value) == text
