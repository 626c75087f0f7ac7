"""Are the figures' colours told apart, in either theme and with any kind of colour vision?"""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from browsing import PAGES, ROOT, SITE, Visitor, report
from bs4 import BeautifulSoup
from matplotlib.colors import to_rgb

from helpers.pages import palette

STYLES = {"light": palette.LIGHT_STYLE, "dark": palette.DARK_STYLE}
each_style = pytest.mark.parametrize("theme", STYLES)

# Full loss of one kind of cone, on linear RGB: Machado, Oliveira and Fernandes 2009, table 1.
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
LEAST_DIFFERENCE = 10  # of CIELAB; about 2 can just be seen side by side
TOGETHER = 4           # no figure shows more lines than these at once


def linear(colour: str) -> np.ndarray:
    """Linear RGB of a colour."""
    values = np.array(to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear RGB under daylight."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@each_style
def test_pages_have_the_colours_of_the_figures(theme: str) -> None:
    css = (ROOT / "book/_assets/book.css").read_text(encoding="utf-8")
    blocks = re.findall(r"([^{}]*)\{([^{}]*--figure-[^{}]*)\}", re.sub(r"/\*.*?\*/", "", css,
                                                                      flags=re.DOTALL))
    rules, = (rules for selector, rules in blocks if ("dark" in selector) == (theme == "dark"))
    on_pages = dict(re.findall(r"--figure-(\w+): (#[0-9a-f]{6});", rules))
    assert on_pages == palette.colours(STYLES[theme])


@each_style
@pytest.mark.parametrize("sight", SIGHT)
def test_lines_of_one_figure_are_told_apart(theme: str, sight: str) -> None:
    named = palette.colours(STYLES[theme])
    seen = {name: lab(SIGHT[sight] @ linear(named[name]))
            for name in map(str, range(1, TOGETHER + 1))}
    report([f"{one} and {other}: {np.linalg.norm(seen[one] - seen[other]):.1f}"
            for one, other in combinations(seen, 2)
            if np.linalg.norm(seen[one] - seen[other]) < LEAST_DIFFERENCE],
           f"hard to tell apart in the {theme} theme with {sight}")


@each_style
def test_text_and_lines_stand_out_from_the_ground(theme: str) -> None:
    named = palette.colours(STYLES[theme])
    assert contrast(named["ink"], named["ground"]) >= 7
    # Two of Okabe and Ito's colours are light: on white they fill areas and draw no thin lines.
    light_fills = {"4", "5", "6"} if theme == "light" else set()
    report([f"{name}: {contrast(colour, named['ground']):.2f}" for name, colour in named.items()
            if name not in {"grid", "ground"} | light_fills
            and contrast(colour, named["ground"]) < 3], f"hardly seen in the {theme} theme")


@pytest.mark.site
def test_every_figure_has_a_dark_variant() -> None:
    """Every picture that a chapter drew: else a reader in the dark is dazzled by white."""
    light = palette.colours()
    for name in PAGES:
        page = BeautifulSoup((SITE / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        for image in page.select("main article img[src*='_images/'].only-light"):
            twin = image.find_next("img", class_="only-dark")
            drawn = ((SITE / name).parent / twin["src"]).resolve()
            assert twin["alt"] == image["alt"] and twin["src"] != image["src"]
            if drawn.suffix == ".svg":
                assert not {light["ink"], light["ground"]} & set(
                    re.findall(r"#[0-9a-f]{6}", drawn.read_text(encoding="utf-8")))
        loose = page.select("main article img[src$='.svg']:not(.only-light, .only-dark)")
        report([str(image)[:120] for image in loose], f"{name} has figures of one theme only")


@pytest.mark.parametrize("theme", STYLES)
@pytest.mark.parametrize("name", [PAGES[0], "notebooks/spec_augment"])
def test_the_theme_chooses_the_variant(name: str, theme: str, visitor: Visitor) -> None:
    page = visitor.open(name, theme=theme, fresh=True).page
    shown = page.locator(f"main article img.only-{theme}")
    hidden = page.locator(f"main article img.only-{'dark' if theme == 'light' else 'light'}")
    assert shown.first.is_visible() and hidden.count()
    assert not any(image.is_visible() for image in hidden.all())
    page.emulate_media(media="print")
    assert page.locator("main article img.only-light").first.is_visible()
    assert not page.locator("main article img.only-dark").first.is_visible()


def test_a_live_notebook_shows_one_variant() -> None:
    """Jupyter has no style sheet of the book, so the dark picture hides itself."""
    light, dark = BeautifulSoup(palette.svg_picture('<svg fill="#20262d"/>', "a & b"),
                                "html.parser").select("img")
    assert "display" not in light["style"] and "display:none" in dark["style"]
    assert light["alt"] == dark["alt"] == "a & b" and light["src"] != dark["src"]
    assert palette.darkened("#20262D") == palette.colours(palette.DARK_STYLE)["ink"]
