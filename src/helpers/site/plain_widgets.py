"""Turn a notebook's sliders and menus into plain HTML, with their pictures as files.

A stored notebook holds its widgets as a tree of models that the widgets' own script (half a
megabyte) would draw. The trees of this book are a few controls over panels made beforehand
(`helpers.pages.menus`): so the build writes an `<input>` or a `<select>`, and the panels below it.
Without scripts, and on paper, the panel chosen first is there; `explorers.js` shows the others.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

from helpers.errors import BookError
from helpers.site.figures import store
from helpers.site.light_pages import size_of

STATE = "script[type='application/vnd.jupyter.widget-state+json']"
VIEW = "script[type='application/vnd.jupyter.widget-view+json']"
DATA = "data:image/"


class Tree:
    """The widgets of one page.

    Args:
        models: id to model, as the notebook stores them.
        images: folder for the panels' pictures.
        address: of that folder, as the page names it.
    """

    def __init__(self, models: Mapping[str, Any], images: Path, address: str) -> None:
        self.models, self.images, self.address = models, images, address
        links = [model["state"] for model in models.values() if model["model_name"] == "LinkModel"]
        self.leader = {name_of(link["target"][0]): name_of(link["source"][0]) for link in links}

    def html(self, reference: str) -> Tag:
        """A widget and all below it.

        Args:
            reference: its id, with the mark that children carry or without.

        Raises:
            BookError: the widget is of a kind that is not written here.
        """
        name = name_of(reference)
        kind, state = self.models[name]["model_name"], self.models[name]["state"]
        if kind in ("SelectionSliderModel", "DropdownModel"):
            return control(name, kind, state)
        if kind == "HTMLModel":
            return self._panel(state["value"])
        if kind not in ("VBoxModel", "StackModel"):
            raise BookError(f"The page cannot show a widget of the kind {kind}: use a control of "
                            "helpers.pages.menus, or teach helpers.site.plain_widgets.")
        box = element("div")
        for number, child in enumerate(state["children"]):
            shown = self.html(child)
            if kind == "StackModel" and number != state["selected_index"]:
                shown["hidden"] = ""
            box.append(shown)
        if kind == "StackModel":
            box["data-follows"] = self.leader[name]
        return box

    def _panel(self, html: str) -> Tag:
        """A panel; its pictures go to files, and the build makes the dark twins of drawings."""
        panel = element("div", "explorer-panel")
        panel.append(BeautifulSoup(html, "html.parser"))
        for image in panel.select(f"img[src^='{DATA}']"):
            form, _, content = image["src"].removeprefix(DATA).partition(";base64,")
            picture, drawn = base64.b64decode(content), form == "svg+xml"
            if drawn and "only-dark" in image.get("class", []):
                image.decompose()
                continue
            file = self.images / f"{hashlib.sha256(picture).hexdigest()}.{'svg' if drawn else form}"
            if drawn:
                store(file, picture.decode())
                image.attrs = {"alt": image["alt"]}
            else:
                file.write_bytes(picture)
            image.attrs |= {"src": f"{self.address}{file.name}", "loading": "lazy",
                            "decoding": "async", **size_of(file)}
        return panel


def name_of(reference: str) -> str:
    """A widget's id, without the mark that children carry."""
    return reference.removeprefix("IPY_MODEL_")


def element(tag: str, css: str = "", text: str = "", **attributes: str) -> Tag:
    """An HTML element."""
    return BeautifulSoup("", "html.parser").new_tag(
        tag, attrs={**({"class": css} if css else {}), **attributes}, string=text or None)


def control(name: str, kind: str, state: Mapping[str, Any]) -> Tag:
    """A slider with the value beside it, or a menu; scripts alone can make use of them."""
    label, options = element("label", "explorer-control pst-js-only"), state["_options_labels"]
    label.append(element("span", text=state["description"]))
    if kind == "DropdownModel":
        field = element("select", **{"data-leads": name})
        for number, text in enumerate(options):
            field.append(element("option", text=text, **(
                {"selected": ""} if number == state["index"] else {})))
        label.append(field)
        return label
    shown = options[state["index"]]
    label.append(element("input", type="range", min="0", max=str(len(options) - 1), step="1", **{
        "value": str(state["index"]), "data-leads": name, "data-values": json.dumps(options),
        "aria-valuetext": shown}))
    label.append(element("output", text=shown))
    return label


def write_widgets(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Put plain HTML in the place of every widget of a finished page."""
    stored = page.select_one(STATE)
    if stored is None:
        return
    models = json.loads(stored.extract().text.replace("<\\/", "</"))["state"]
    depth = len(path.relative_to(app.outdir).parts) - 1
    tree = Tree(models, Path(app.outdir) / "_images", f"{'../' * depth}_images/")
    for view in page.select(VIEW):
        widget = tree.html(json.loads(view.text)["model_id"])
        widget["class"] = "explorer"
        view.replace_with(widget)
    page.head.append(page.new_tag("script", src=f"{'../' * depth}_static/explorers.js",
                                  attrs={"defer": ""}))
