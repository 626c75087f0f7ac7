"""A report of the checker as part of a page."""

from __future__ import annotations

from pathlib import Path

from funasr_preflight import checking, page_rules
from funasr_preflight.findings import Report, Severity
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.report import escaped, html_finding, summary
from funasr_preflight.rules.memory import TIGHT
from funasr_preflight.run import cards, gpu_memory
from helpers.pages.palette import ASSETS

PAGE_STYLE = "\n" + (ASSETS / "preflight.css").read_text(encoding="utf-8")


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
    for label, overrides in LEARNS.items():
        context = checking.context_of(config, train, overrides=overrides, probe=None)
        need = gpu_memory.need(context)
        sizes = []
        for card in SHOWN_CARDS:
            room = int(TIGHT * cards.gpu_bytes(card)) - need.fixed
            size = gpu_memory.fitting_batch_size(context, room) if room > need.scratch else None
            sizes.append(f"{size:,}" if size else "none")
        rows.append([label, *(f"{part / GIBIBYTE:.1f}" for part in
                             (need.model.total, need.activations, need.total)), *sizes])
    return (["What learns", "Weights, gradients, moments", "Activations", "In all",
             *(f"batch_size on {card}" for card in SHOWN_CARDS)], rows)


def page_checker() -> str:
    """The field that a reader pastes a YAML into; `preflight_page.js` brings it to life."""
    labels = {name: f'data-say="{escaped(text)}">{escaped(text)}'
              for name, text in page_rules.LABELS.items()}
    return f"""<style>{PAGE_STYLE}</style>
<div class="preflight preflight-page tex2jax_ignore" lang="en" hidden>
<label for="pf-yaml" {labels["paste"]}</label>
<textarea id="pf-yaml" spellcheck="false" autocomplete="off" autocapitalize="off"
 aria-describedby="pf-about"></textarea>
<div class="pf-row"><div><label for="pf-file" {labels["file"]}</label>
<input id="pf-file" type="file" accept=".yaml,.yml"></div>
<div><label for="pf-lang" {labels["language"]}</label>
<select id="pf-lang"><option value="en" lang="en">English</option>
<option value="zh" lang="zh-CN">中文</option></select></div></div>
<p id="pf-about"><small {labels["about"]}</small></p>
<output for="pf-yaml pf-file" aria-live="polite"></output>
</div>
<noscript><p>The field for a YAML needs JavaScript; the command <code>preflight</code> does not.</p>
</noscript>"""
