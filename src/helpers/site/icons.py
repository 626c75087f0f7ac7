"""The icons of the pages' buttons, drawn here: the theme's icon script weighs half a megabyte."""

from __future__ import annotations

_FILE = "M14 3H6v18h12V7z M14 3v4h4"
PATHS = {
    "angle-left": "M15 5l-7 7 7 7",
    "angle-right": "M9 5l7 7-7 7",
    "arrow-up": "M12 20V4 M5 11l7-7 7 7",
    "bars": "M4 6h16 M4 12h16 M4 18h16",
    "circle-half-stroke": "M12 3a9 9 0 1 0 0 18z M12 3a9 9 0 0 1 0 18",
    "download": "M12 3v12 M7 10l5 5 5-5 M4 20h16",
    "expand": "M4 9V4h5 M15 4h5v5 M20 15v5h-5 M9 20H4v-5",
    "file": _FILE,
    "file-pdf": f"{_FILE} M9 12h6 M9 16h6",
    "list": "M9 6h11 M9 12h11 M9 18h11 M4 6h1 M4 12h1 M4 18h1",
    "magnifying-glass": "M10 4a6 6 0 1 0 0 12a6 6 0 1 0 0-12 M15 15l5 5",
    "moon": "M20 14A8 8 0 1 1 10 4a7 7 0 0 0 10 10z",
    "rocket": "M5 19c0-3 1-4 3-5l2 2c-1 2-2 3-5 3z M8 13c1-5 5-9 12-9c0 7-4 11-9 12z "
              "M15 8a1 1 0 1 0 0 2a1 1 0 1 0 0-2",
    "sun": "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8 M12 2v2 M12 20v2 M2 12h2 M20 12h2 "
           "M5 5l1.5 1.5 M17.5 17.5L19 19 M5 19l1.5-1.5 M17.5 6.5L19 5",
}
"""Name to its lines, in a box of 24 by 24."""

FILLED = {"circle-half-stroke": "M12 3a9 9 0 1 0 0 18z"}
_SIZES = {"fa", "fas", "far", "fa-solid", "fa-lg"}


def drawn(classes: list[str], attributes: str = "") -> str | None:
    """The icon that classes such as `fa-solid fa-moon` ask for, as SVG; None if there is none here.

    Args:
        attributes: to keep on the icon, with a space before each.
    """
    name = next((name for name in PATHS if f"fa-{name}" in classes), None)
    if name is None:
        return None
    kept = [other for other in classes if other not in _SIZES and other != f"fa-{name}"]
    size = ["icon-large"] if "fa-lg" in classes else []
    filled = f'<path fill="currentColor" d="{FILLED[name]}"/>' if name in FILLED else ""
    return (f'<svg class="{" ".join(["icon", *size, *kept])}"{attributes} viewBox="0 0 24 24" '
            f'aria-hidden="true" focusable="false"><path d="{PATHS[name]}"/>{filled}</svg>')
