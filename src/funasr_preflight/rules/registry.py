"""The register of rules. Each rule is one function, with an id, a title and a page of the book.

    @rule("schedule-warmup-unfinished", say("The warm-up does not finish"), "learning_rate")
    def warmup_unfinished(context):
        if ...:
            yield warning(say("..., {steps} steps", steps=steps), say("..."),
                          edits={"scheduler_conf.warmup_steps": 100})

A rule that cannot be judged (no manifest was given) yields nothing. It never raises for what a user
wrote: a value of a wrong type is the business of the rules on keys, and the others pass it over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from funasr_preflight.context import Context
from funasr_preflight.findings import Finding, Severity
from funasr_preflight.texts import Text

Check = Callable[[Context], Iterable[Finding]]


@dataclass(frozen=True)
class Rule:
    """A rule: its id, what it looks for, the page that explains it, such as `dataset#filters`, and
    the function."""

    id: str
    title: Text
    chapter: str
    check: Check


RULES: dict[str, Rule] = {}
"""Every rule by id, in the order of a report. Filled by importing the `rules_*` modules."""


def rule(name: str, title: Text, chapter: str) -> Callable[[Check], Check]:
    """Register a function as a `Rule`."""
    def register(check: Check) -> Check:
        if name in RULES:
            raise ValueError(f"Two rules are called {name}.")
        RULES[name] = Rule(name, title, chapter, check)
        return check
    return register


def page_of(chapter: str) -> str:
    """The page of the built book that a rule's chapter, such as `dataset#filters`, stands for."""
    name, _, anchor = chapter.partition("#")
    return f"notebooks/{name}.html{'#' + anchor if anchor else ''}"


def findings_of(registered: Rule, context: Context) -> Iterator[Finding]:
    """What a rule finds, complete. In a section that FunASR does not look into, nothing ends a run:
    it is a warning there."""
    for finding in registered.check(context):
        file, line = (finding.file, finding.line)
        if finding.key and not file:
            file, line = context.place(finding.key)
        severity = finding.severity if context.looked_into(finding.key) else min(
            finding.severity, Severity.WARNING)
        yield replace(finding, rule=registered.id, severity=severity, chapter=registered.chapter,
                      file=file, line=line)
