"""One line of FunASR's ChatML manifest for Fun-ASR-Nano: its turns, its prompt, its lengths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from funasr_preflight.errors import BookError
from funasr_preflight.texts import say

SYSTEM_PROMPT = "You are a helpful assistant."
_TASK, _INTO, _UNNORMALISED, _END = "语音转写", "成", "，不进行文本规整", "："
_CONTEXT = ("请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。"
            "\n\n\n**上下文信息：**\n\n\n热词列表：[{words}]\n")


def prompt(language: str | None = None, normalised: bool = True, hotwords: Sequence[str] = ()
           ) -> str:
    """What stands before the audio when FunASR decodes (`FunASRNano.get_prompt`).

    Args:
        language: as FunASR's argument of that name, such as `英文`.
        normalised: whether numbers and the like are written as text is (its argument `itn`).
        hotwords: its argument of that name.
    """
    context = _CONTEXT.format(words=", ".join(hotwords)) if hotwords else ""
    return "".join((context, _TASK, f"{_INTO}{language}" if language else "",
                    "" if normalised else _UNNORMALISED, _END))


def message_turns(audio: str, text: str, request: str | None = None) -> list[dict[str, str]]:
    """The three turns. The `!` before the path is what makes FunASR open it."""
    return [{"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user",
             "content": f"{prompt() if request is None else request}"
                        f"<|startofspeech|>!{audio}<|endofspeech|>"},
            {"role": "assistant", "content": text}]


def token_counter(source: Path) -> Callable[[str], int]:
    """Counts tokens as FunASR's own converter does: with the LLM's tokenizer, no marks added.

    Args:
        source: a `tokenizer.json`, a folder with one, or the model's folder.

    Raises:
        BookError: there is none, it cannot be read, or `tokenizers` is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise BookError(say("Counting tokens needs the package tokenizers: pip install "
                            "'funasr-preflight[manifest]'.")) from None
    files = [source, source / "tokenizer.json", *sorted(source.glob("*/tokenizer.json"))]
    file = next((candidate for candidate in files if candidate.is_file()), None)
    if file is None:
        raise BookError(say("{place} holds no tokenizer.json: give the folder of "
                            "Fun-ASR-Nano-2512, or its Qwen3-0.6B.", place=source.name))
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001  the package raises a bare Exception
        raise BookError(say("{name} cannot be read as a tokenizer ({error}): copy it again from "
                            "the released model.", name=file.name, error=str(error)[:60])) from None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def hotword_finder(words: Sequence[str]) -> Callable[[str], list[str]]:
    """Finds which of the words a transcript has, whole words where they are in Latin letters."""
    if not words:
        return lambda text: []
    known = {word.casefold(): word for word in words}
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile("|".join(
        f"{_edge(word[0], before=True)}{re.escape(word)}{_edge(word[-1], before=False)}"
        for word in longest_first))
    return lambda text: list(dict.fromkeys(known[hit] for hit in pattern.findall(text.casefold())))


def _edge(sign: str, before: bool) -> str:
    if not (sign.isascii() and sign.isalnum()):
        return ""
    return "(?<![a-z0-9])" if before else "(?![a-z0-9])"
