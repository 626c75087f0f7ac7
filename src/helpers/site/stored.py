"""What a translated page shows of the notebooks: outputs, figures, and the checker's own words.

`{stored} NOTEBOOK` shows the one stored output that has the text of `:has:`. Its English words are
replaced by those of the page: heads by `:heads:` between bars, anything else by `:words:` as
`old = new` between bars, and then by the group `results` of the language's `words.yml`. A word of
`:words:` that the output does not have is an error, so that a page cannot keep what is gone.

`{stored-figure} NOTEBOOK NAME` shows a figure under the caption that it is given.
`{checked} CONFIG` shows the checker's errors and warnings in the page's language.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from funasr_preflight import check, texts
from helpers.errors import BookError
from helpers.ledger import translations
from helpers.pages import phone_drawing, translated_drawing
from helpers.pages.preflight_report import for_page
from helpers.site.languages import LANGUAGES, chapters_from, language_of

BREAK = "\u200b"
"""Stands for `<wbr>` while words are replaced: the parts of a key are no words."""
_LETTERS = re.compile("[A-Za-z]{2}")


class Stored(SphinxDirective):
    """A stored output of a notebook, found by what it says."""

    required_arguments = 1
    option_spec = {"has": directives.unchanged_required, **dict.fromkeys(
        ("caption", "heads", "words", "lexer", "lang"), directives.unchanged)}

    def run(self) -> list[nodes.Node]:
        if "has" not in self.options:
            raise self.error("Say with :has: which output is meant.")
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        matching = [output for output in outputs(Path(path)) if self.options["has"] in output[1]]
        if len(matching) != 1:
            raise self.error(f"{relative}: {len(matching)} outputs have {self.options['has']!r}; "
                             "name what only one has.")
        (form, text), page = matching[0], self.env.docname
        try:
            shown = translated(form, text, self.options, page)
        except BookError as error:
            raise self.error(f"{relative}: {error}") from error
        if form == "html":
            return [nodes.raw("", shown, format="html")]
        spoken = "en" if shown == text.rstrip() else LANGUAGES[language_of(page)][0]
        return [nodes.literal_block(shown, shown, lang=spoken,
                                    language=self.options.get("lexer", "none"))]


def translated(form: str, text: str, options: Mapping[str, str], page: str) -> str:
    """A stored output, `text` or `html`, in the words of a page such as `book/zh/NAME`.

    Raises:
        BookError: the output has not all the words that the directive replaces.
    """
    known = translations.words(language_of(page))
    own = dict(re.split(r"\s+=\s+", pair, maxsplit=1) for pair in parts(options, "words"))
    words = Words(own, {**known["reasons"], **known["results"]})
    shown = (words.replaced(text.rstrip()) if form == "text"
             else _html(text, words, options, page))
    if words.unused():
        raise BookError(f"the output has no {', '.join(words.unused())}.")
    return shown


def _html(text: str, words: Words, options: Mapping[str, str], page: str) -> str:
    soup = BeautifulSoup(text.replace("<wbr>", BREAK), "html.parser")
    lead_to_chapters(soup, page)
    if table := soup.find("table"):
        if "caption" in options:
            caption = table.caption or soup.new_tag("caption")
            caption.string = options["caption"]
            table.insert(0, caption)
        for head, new in zip(table.select("thead th"), parts(options, "heads"), strict=False):
            head.string = new
    for cell in soup.select("caption, th, td, p, small, label"):
        before = cell.text.replace(BREAK, "")
        if before in words and not cell.find("code"):
            cell.string = words.replaced(before)
        else:
            for string in cell.find_all(string=True):
                if not string.find_parent("code"):
                    string.replace_with(words.replaced(string))
        if (cell.name == "td" and "lang" in options and _LETTERS.search(before)
                and cell.text.replace(BREAK, "") == before):
            cell["lang"] = options["lang"]
    return str(soup).replace(BREAK, "<wbr/>")


class Words:
    """English words to those of a page: of one output, each of which has to be met, and of all."""

    def __init__(self, own: Mapping[str, str], common: Mapping[str, str]) -> None:
        self._own, self._all, self._met = own, {**common, **own}, set()
        longest_first = "|".join(map(re.escape, sorted(self._all, key=len, reverse=True)))
        inside_a_name = rf"[A-Za-z\d_{BREAK}-]"
        self._any = re.compile(rf"(?<!{inside_a_name})(?:{longest_first})(?!{inside_a_name})")

    def __contains__(self, text: str) -> bool:
        return text in self._all

    def replaced(self, text: str) -> str:
        """The text with every known word replaced, longer ones first."""
        return self._any.sub(self._new, text)

    def unused(self) -> list[str]:
        """Words that were given for an output and were not in it."""
        return [word for word in self._own if word not in self._met]

    def _new(self, match: re.Match[str]) -> str:
        self._met.add(match[0])
        return self._all[match[0]]


class StoredFigure(SphinxDirective):
    """A figure of a notebook, with a caption and alt text of the page."""

    required_arguments = 2
    has_content = True
    option_spec = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        drawn = [svg for name, svg in figures(Path(path)) if name == self.arguments[1]]
        if len(drawn) != 1 or "alt" not in self.options or not self.content:
            raise self.error(f"{relative} needs one figure {self.arguments[1]}; give it :alt: and "
                             "a caption.")
        # Under the name that MyST-NB gives it, so that its drawing for phones is found.
        name, language = phone_drawing.fingerprint(drawn[0]), language_of(self.env.docname)
        own = translated_drawing.folder(language) / f"{name}.svg"
        if own.is_file():
            drawn, name = [own.read_text(encoding="utf-8")], f"{name}-{language}"
        file = Path(self.env.mystnb_config.output_folder) / f"{name}.svg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(drawn[0].splitlines()), encoding="utf-8")
        uri = "/" + Path(os.path.relpath(file, self.env.srcdir)).as_posix()
        caption = nodes.caption()
        paragraph, = self.parse_content_to_nodes()
        caption.extend(paragraph.children)
        return [nodes.figure("", nodes.image(uri=uri, alt=self.options["alt"]), caption)]


class Checked(SphinxDirective):
    """What the checker says of a config, in the page's language."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        with texts.speak(LANGUAGES[language_of(self.env.docname)][0].replace("-", "_")):
            soup = BeautifulSoup(for_page(check(path, probe=None)), "html.parser")
        lead_to_chapters(soup, self.env.docname)
        return [nodes.raw("", str(soup), format="html")]


class ValuesInWords(SphinxPostTransform):
    """Replace an English word that a notebook notes in the place of a number, such as `none`."""

    default_priority = 6  # MyST-NB fills in the values at 5

    def run(self, **_: object) -> None:
        """Look at every value of a translated page."""
        language = language_of(self.env.docname)
        if language == "en":
            return
        known = translations.words(language)["values"]
        for value in self.document.findall(nodes.inline):
            if "pasted-text" in value["classes"] and value.astext() in known:
                value.children = [nodes.Text(known[value.astext()])]


def speak(app: Sphinx, page: BeautifulSoup, path: Path) -> None:
    """Put what the theme says inside a finished page's text into the page's language."""
    language = language_of(path.relative_to(app.outdir).with_suffix("").as_posix())
    if language == "en":
        return
    words = Words({}, translations.words(language)["theme"])
    for tag in page.select(".caption-number, script:not([src])"):
        if tag.name == "span" or "toggleHint" in tag.text:
            tag.string = words.replaced(tag.text)


def lead_to_chapters(soup: BeautifulSoup, page: str) -> None:
    """Make links between chapters lead from a translated page there, under the titles here."""
    titles = translations.words(language_of(page))["chapters"]
    for link in soup.select("a[href]"):
        if "://" not in link["href"]:
            link["href"] = chapters_from(page) + link["href"]
        if link.text in titles:
            link.string = titles[link.text]


def outputs(notebook: Path) -> Iterator[tuple[str, str]]:
    """Kind (`text` or `html`) and content of every output that a page can quote."""
    for cell in _cells(notebook):
        for output in cell.get("outputs", []):
            form, content = (("text", output.get("text")) if output["output_type"] == "stream"
                             else ("html", output.get("data", {}).get("text/html")))
            if content:
                yield form, "".join(content)


def figures(notebook: Path) -> Iterator[tuple[str, str]]:
    """Name and SVG of every named figure."""
    for cell in _cells(notebook):
        name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
        for output in cell.get("outputs", []):
            if name and (svg := output.get("data", {}).get("image/svg+xml")):
                yield name, "".join(svg)


def _cells(notebook: Path) -> list[dict]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def parts(options: Mapping[str, str], name: str) -> list[str]:
    """What stands between the bars of an option."""
    return [part.strip() for part in options.get(name, "").split("|") if part.strip()]
