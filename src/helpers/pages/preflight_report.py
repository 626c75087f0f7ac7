"""A report of the checker as part of a page."""

from __future__ import annotations

from pathlib import Path

from funasr_preflight import checking, page_rules
from funasr_preflight.findings import Report, Severity
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.report import escaped, html_finding, summary
from funasr_preflight.rules.memory import TIGHT
from funasr_preflight.run import cards, gpu_memory

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
.preflight-page label { display: block; font-weight: 600; margin: .6rem 0 .2rem; }
.preflight-page textarea { background: var(--pst-color-background, #fff); box-sizing: border-box;
  border: 1px solid var(--pst-color-border, #767676); color: inherit; font-family: monospace;
  min-height: 12rem; padding: .5rem; width: 100%; }
.preflight-page input, .preflight-page select { background: var(--pst-color-background, #fff);
  border: 1px solid var(--pst-color-border, #767676); color: inherit; max-width: 100%;
  min-height: 1.8rem; }
.preflight-page .pf-row { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.preflight-page.pf-over textarea { outline: 3px solid var(--pst-color-primary, #0072b2); }
.preflight-page output { display: block; }
"""


def for_page(report: Report, least: Severity = Severity.WARNING, folded: bool = False) -> str:
    """The findings of this severity or worse, as HTML inside a page of the book."""
    findings = "".join(html_finding(finding, linked=True) for finding in report.at_least(least))
    head = f"<strong>{escaped(report.config)}</strong>: {escaped(summary(report))}"
    body = f'<ol class="findings">{findings}</ol>'
    inside = (f"<details><summary>{head}</summary>{body}</details>" if folded
              else f"<p>{head}</p>{body}")
    return f'<style>{PAGE_STYLE}</style><div class="preflight tex2jax_ignore">{inside}</div>'


LEARNS = {
    "encoder, float32": ("train_conf.use_bf16=false",),
    "encoder, bf16 autocast": ("train_conf.use_bf16=true",),
    "LoRA alone": ("++audio_encoder_conf.freeze=true", "++audio_adaptor_conf.freeze=true",
                   "++llm_conf.use_lora=true", "~freeze_param"),
    "encoder, adaptor and LLM": ("++llm_conf.freeze=false", "++audio_adaptor_conf.freeze=false",
                                 "~freeze_param")}
SHOWN_CARDS = ("T4", "4090", "A100-80")


def memory_rows(config: Path, train: Path) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: memory by what learns, and the `batch_size` that fits a card."""
    rows = []
    for what, overrides in LEARNS.items():
        context = checking.context_of(config, train, overrides=overrides, probe=None)
        need = gpu_memory.need(context)
        sizes = []
        for card in SHOWN_CARDS:
            room = int(TIGHT * cards.gpu_bytes(card)) - need.fixed
            size = gpu_memory.fitting_batch_size(context, room) if room > need.scratch else None
            sizes.append(f"{size:,}" if size else "none")
        rows.append([what, *(f"{part / GIBIBYTE:.1f}" for part in
                             (need.model.total, need.activations, need.total)), *sizes])
    return (["What learns", "Weights, gradients, moments", "Activations", "In all",
             *(f"batch_size on {card}" for card in SHOWN_CARDS)], rows)


def page_checker() -> str:
    """The field that a reader pastes a YAML into; `preflight_page.js` brings it to life."""
    said = {name: f'data-say="{escaped(text)}">{escaped(text)}'
            for name, text in page_rules.LABELS.items()}
    return f"""<style>{PAGE_STYLE}</style>
<div class="preflight preflight-page tex2jax_ignore" lang="en" hidden>
<label for="pf-yaml" {said["paste"]}</label>
<textarea id="pf-yaml" spellcheck="false" autocomplete="off" autocapitalize="off"
 aria-describedby="pf-about"></textarea>
<div class="pf-row"><div><label for="pf-file" {said["file"]}</label>
<input id="pf-file" type="file" accept=".yaml,.yml"></div>
<div><label for="pf-lang" {said["language"]}</label>
<select id="pf-lang"><option value="en" lang="en">English</option>
<option value="zh" lang="zh-CN">中文</option></select></div></div>
<p id="pf-about"><small {said["about"]}</small></p>
<output for="pf-yaml pf-file" aria-live="polite"></output>
</div>
<noscript><p>The field for a YAML needs JavaScript; the command <code>preflight</code> does not.</p>
</noscript>"""
