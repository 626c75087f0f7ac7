"""Words that readers and pages use for the same thing."""

from __future__ import annotations

import re

SYNONYMS = (
    ("oom", "out of memory", "memory", "显存"), ("微调", "fine-tuning"),
    ("8000", "8 khz", "8k", "8khz"), ("8000", "sample rate"), ("keys", "knobs"),
    ("bug report", "for the makers"),
    ("16000", "16 khz", "16k", "16khz"),
    ("学习率", "learning rate", "lr"), ("采样率", "sample rate", "sampling rate"),
    ("检查点", "checkpoint"), ("freeze", "frozen", "冻结"), ("数据集", "dataset", "manifest"),
    ("训练", "training"), ("编码器", "encoder"), ("电话", "telephone", "phone call"),
    ("wer", "word error rate", "错误率"), ("cer", "character error rate"), ("配置", "config"),
    ("热词", "hot words", "hotword"), ("时间戳", "timestamp"), ("论断", "claim", "statement"),
    ("预检", "pre-flight", "preflight"),
    ("catastrophic forgetting", "forgetting"), ("bf16", "bfloat16"),
    ("fp16", "float16", "half precision"),
    ("ddp", "several processes", "several gpus", "ranks", "data parallel"),
    ("trained weights", "pretrained weights", "init_param", "model.pt"))
"""Each word of a group stands for the others."""


def with_synonyms(text: str) -> str:
    """Lower-case text, followed by the other words for what is named in it."""
    text = text.lower()
    added = [word for group in SYNONYMS if any(named(word, text) for word in group)
             for word in group if not named(word, text)]
    return " ".join([text, *added])


def named(word: str, text: str) -> bool:
    """Whether a text has a word, as such or with a plural's s."""
    inside = rf"\b{re.escape(word)}s?\b" if word.isascii() else re.escape(word)
    return re.search(inside, text) is not None
