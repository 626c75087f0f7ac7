"""A reader of Chinese gets Chinese: no English sentence, but what is quoted and marked as such."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from funasr_preflight import check, explain, report
from funasr_preflight.checking import all_rules
from funasr_preflight.command import main, parser
from funasr_preflight.explanations import EXPLANATIONS
from funasr_preflight.texts import speak
from helpers.paths import CONFIGS, ROOT

OURS = CONFIGS / "recommended_8k.yaml"
MARKED = re.compile(r"“[^”]*”|\"[^\"]*\"|`[^`]*`|https?://\S+")
"""A library's own words, keys and links stay as they are, in marks of their own."""
SENTENCE = re.compile(r"(?:\b[A-Za-z']+\b[ ,]+){3}[A-Za-z']+")
"""Four English words one after the other: a phrase, which keys, names and units never are."""
LISTS = re.compile(r"[\w.-]*[._=~+/-][\w./=~+:-]+|\b(?:[a-z]+, ?)+[a-z]+\b")


def english(text: str) -> list[str]:
    return SENTENCE.findall(LISTS.sub("·", MARKED.sub("·", text)))


def test_the_measure_finds_english_and_leaves_names_alone():
    assert english("Correct the YAML there.")
    assert english("每批 of the largest batch 都会")
    assert not english("`optim_conf.lr` 为 1e-5，audio_encoder 参与训练（PyTorch）。")
    assert not english("解析器的原文是：“could not find expected ':'”。")


@pytest.mark.parametrize("name", all_rules())
def test_every_rule_speaks_chinese(name, tmp_path):
    with speak("zh_CN"):
        found = explain.report_of(EXPLANATIONS[name], tmp_path)
        texts = [report.as_text(found, width=1000), report.as_html(found), report.as_json(found),
                 *(f"{one.message} {one.fix}" for one in found.of(name))]
    said = re.sub(r"<style>.*?</style>|<[^>]*>", " · ", texts[1], flags=re.DOTALL)
    for text in (texts[0], said, *texts[3:]):
        assert english(text) == [], english(text)


@pytest.mark.parametrize("name", ["config_8k_telephone", "stage1_encoder_adapt", "pretrained"])
def test_every_note_of_the_books_configs_is_chinese(name):
    with speak("zh_CN"):
        text = report.as_text(check(CONFIGS / f"{name}.yaml", gpus=2), width=1000)
    assert english(text) == []


BROKEN = {
    "no.yaml": None, "folder.yaml": None, "list.yaml": "- 1\n", "open.yaml": "a: [1\n",
    "tag.yaml": "a: !!python/object/apply:os.getcwd []\n", "twice.yaml": "a: 1\na: 2\n",
    "endless.yaml": "a: ${b}\nb: ${a}\n", "merge.yaml": "x: &x {b: 1}\na:\n  <<: *x\n",
    "other.yaml": "model: SenseVoiceSmall\n", "bytes.yaml": b"\xff\xfe", "nul.yaml": "a: \0\n",
    "key.yaml": "? [1]\n: 2\n", "run.sh": "echo hello\n",
    "quote.sh": "torchrun 'a\n",
    "huge.yaml": "audio_encoder_conf:\n  num_blocks: 100000\n"}
WRONG = [
    ("--train", "no.jsonl"), ("--probe", "many"), ("--gpus", "x"), ("--seconds-per-step", "0"),
    ("--over", "nowhere"), ("--gpu-memory", "A100"), ("--gpu-memory", "abacus"),
    ("--funasr", "latest"), ("--fix", str(OURS)), ("--fix", "/nowhere/a.yaml"), ("a.b.c",),
    ("++optim_conf.lr=1,2",), ("++a=[1]", "++a.b=3"), ("--explain", "nothing"),
    ("--format", "json", str(OURS)), ("--no-such-option",), ("--format", "pdf")]


def says(capsys, *arguments: str) -> str:
    """What the command says on the other channel."""
    try:
        code = main([*arguments, "--lang", "zh"])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr().err.strip()
    assert code == 2 and len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_said_in_chinese(name, tmp_path, capsys):
    file, text = tmp_path / name, BROKEN[name]
    if name == "folder.yaml":
        file.mkdir()
    elif text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = says(capsys, str(file))
    assert english(said) == [] and re.search("[\u4e00-\u9fff]", said), said


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_the_command_line_refuses_is_said_in_chinese(arguments, capsys):
    said = says(capsys, str(OURS), *arguments)
    assert english(said) == [] and re.search("[\u4e00-\u9fff]", said), said


def test_help_and_explanations_are_chinese(capsys):
    with speak("zh_CN"):
        assert english(parser().format_help().partition("\n\n")[2]) == []
    for name in ("all", "data-lost"):
        assert main(["--explain", name, "--lang", "zh_CN"]) == 0
        told = capsys.readouterr().out
        assert english(re.sub(r'\{"messages".*', "", told)) == []


PACKAGE = ROOT / "src" / "funasr_preflight"
TREES = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}


def annotated(node: ast.stmt) -> list[tuple[str, ast.expr | None]]:
    """Names and annotations that a call of this function or dataclass fills, in order."""
    if isinstance(node, ast.FunctionDef):
        return [(argument.arg, argument.annotation) for argument in node.args.args]
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
    return [(ast.unparse(field.target), field.annotation) for field in fields]


def wordings(trees: dict[str, ast.Module]) -> dict[str, dict[str, int]]:
    """Function or dataclass to what it takes as words for the reader, each with its position."""
    return {node.name: {name: number for number, (name, annotation) in enumerate(annotated(node))
                        if annotation and ast.unparse(annotation) == "Text"}
            for tree in trees.values() for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def plain_words(trees: dict[str, ast.Module]) -> Iterator[str]:
    """Calls that give such a parameter a string of their own, which no language translates."""
    wanted = wordings(trees)
    for name, tree in trees.items():
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            positions = wanted.get(ast.unparse(call.func).rpartition(".")[2], {})
            given = {number: value for number, value in enumerate(call.args)} | {
                positions.get(keyword.arg): keyword.value for keyword in call.keywords}
            yield from (f"{name}:{call.lineno}: {ast.unparse(call)[:80]}"
                        for number in positions.values()
                        if isinstance(given.get(number), ast.Constant)
                        and isinstance(given[number].value, str))


def test_words_for_the_reader_are_never_plain_strings() -> None:
    """"Give a list of words" in the middle of a Chinese sentence."""
    assert list(plain_words(TREES)) == []
    for call in ("read('x', 'a list')", "at.read('x', description='a list')"):
        wrong = ast.parse(f"def read(path, description: Text): ...\n{call}")
        assert len(list(plain_words({"wrong.py": wrong}))) == 1
