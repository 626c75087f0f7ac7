"""A report of the checker as part of a page."""

from __future__ import annotations

from funasr_preflight.findings import Report, Severity
from funasr_preflight.report import escaped, html_finding, summary

PAGE_STYLE = """
.preflight { color: var(--pst-color-text-base, #222); font-size: .9rem; margin: 1rem 0; }
.preflight .findings { list-style: none; padding: 0; }
.preflight .findings li { border-left: .3rem solid var(--pst-color-border, #c9c9c9);
  margin: .7rem 0; padding: 0 .8rem; }
.preflight .findings p { margin: .15rem 0; overflow-wrap: anywhere; }
.preflight small { color: var(--pst-color-text-muted, #5a5a5a); }
.preflight code { background: none; border: 0; color: inherit; padding: 0; white-space: normal; }
.preflight .findings .pf-error { border-color: var(--vermillion-line, #d55e00); }
.preflight .findings .pf-warning { border-color: var(--orange-line, #e69f00); }
.preflight .pf-error strong { color: var(--vermillion-ink, #8a3a00); }
.preflight .pf-warning strong { color: var(--orange-ink, #6b4700); }
"""


def for_page(report: Report, least: Severity = Severity.WARNING, folded: bool = False) -> str:
    """The findings of this severity or worse, as HTML inside a page of the book."""
    findings = "".join(html_finding(finding, linked=True) for finding in report.at_least(least))
    head = f"<strong>{escaped(report.config)}</strong>: {escaped(summary(report))}"
    body = f'<ol class="findings">{findings}</ol>'
    inside = (f"<details><summary>{head}</summary>{body}</details>" if folded
              else f"<p>{head}</p>{body}")
    return f'<style>{PAGE_STYLE}</style><div class="preflight tex2jax_ignore">{inside}</div>'
