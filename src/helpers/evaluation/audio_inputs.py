"""The ways of handing a call to FunASR's `AutoModel.generate`, and what becomes of each."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import soundfile
import torch

from helpers.session import funasr_silenced, seeded, unlogged
from helpers.telephone.channel import TELEPHONE_RATE

LONGEST_ANSWER_TOKENS = 64


def recogniser(folder: str | Path, **settings: Any):
    """FunASR's `AutoModel` on the CPU, as a user builds it, without its log lines."""
    from funasr import AutoModel

    with funasr_silenced():
        return AutoModel(model=str(folder), device="cpu", ncpu=torch.get_num_threads(),
                         disable_update=True, disable_pbar=True, **settings)


def generated(model, audio: Any, **arguments: Any) -> list[dict]:
    """`model.generate(audio, ...)`, silent, with answers of at most `LONGEST_ANSWER_TOKENS`."""
    with seeded(0), funasr_silenced():
        return model.generate(audio, **{"max_length": LONGEST_ANSWER_TOKENS, **arguments})


def outcome(model, audio: Any, **arguments: Any) -> tuple[str, str]:
    """What comes of handing this to FunASR: the text and "", or "" and the error's name."""
    return attempt(lambda: generated(model, audio, **arguments)[0]["text"])


def attempt(action: Callable[[], Any]) -> tuple[Any, str]:
    """What an action of FunASR gives and "", or "" and the name and first line of its error."""
    try:
        with unlogged(), funasr_silenced():
            return action(), ""
    except Exception as error:  # noqa: BLE001  whichever error FunASR ends with is the finding
        return "", f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def counted(model, audio: Any, **arguments: Any) -> tuple[list[dict], int]:
    """As `generated`, and how often the LLM was asked to write."""
    llm = model.model.llm
    with mock.patch.object(llm, "generate", wraps=llm.generate) as generate:
        return generated(model, audio, **arguments), generate.call_count


def prompt_of(model, audio: Any, **arguments: Any) -> str:
    """The prompt that FunASR writes for the LLM when it is called like this."""
    prompts: list[str] = []
    original = model.model.get_prompt

    def noted(*positional, **keywords) -> str:
        prompts.append(original(*positional, **keywords))
        return prompts[-1]

    with mock.patch.object(model.model, "get_prompt", noted):
        generated(model, audio, **{"max_length": 1, **arguments})
    return prompts[-1]


def raw_samples(raw: bytes, subtype: str = "ULAW") -> torch.Tensor:
    """Samples of bytes without a header, as they come from a telephone line.

    Args:
        subtype: libsndfile's name of the coding: ULAW, ALAW, PCM_16.

    Returns:
        float32 in [-1, 1], shape (samples,).
    """
    samples, _ = soundfile.read(io.BytesIO(raw), dtype="float32", samplerate=TELEPHONE_RATE,
                                channels=1, format="RAW", subtype=subtype)
    return torch.from_numpy(samples)


def without_speech(seconds: float, level_db: float | None, seed: int) -> torch.Tensor:
    """A stretch of a call in which nobody speaks: white noise, or digital silence.

    Args:
        level_db: of the noise against full scale, in dB; None for zeros.

    Returns:
        float32, shape (samples,), at 8 kHz.
    """
    samples = int(seconds * TELEPHONE_RATE)
    if level_db is None:
        return torch.zeros(samples)
    noise = np.random.default_rng(seed).standard_normal(samples)
    return torch.from_numpy((10 ** (level_db / 20) * noise).astype(np.float32))


def alignment_score(result: dict) -> float:
    """Mean of the scores with which FunASR aligned the words of a result; 0 where it has none."""
    scores: Sequence[float] = [word["score"] for word in result.get("timestamps") or ()]
    return float(np.mean(scores)) if scores else 0.0
