"""Pretraining data for the mini: features in memory, batches as FunASR's forward takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from funasr_preflight.converting.lines import SYSTEM_PROMPT
from funasr_preflight.laws.geometry import speech_tokens
from helpers.errors import BookError
from helpers.speech import manifests


@dataclass(frozen=True)
class Utterances:
    """Features of many utterances in one array, and their token ids.

    Attributes:
        features: float16, shape (frames of all utterances, 560); with a cached encoder, what
            the encoder makes of them, shape (frames, encoder dimension).
        starts: first frame of each utterance; `lengths`: its number of frames.
        tokens: token ids of each transcript (the LLM's and the CTC branch's ids agree).
        heard: with a cached encoder, the CTC branch's label of each frame; else None.
    """

    features: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    tokens: list[list[int]]
    heard: np.ndarray | None = None


def load_utterances(folder: Path, tokenizer) -> Utterances:
    """Read every shard of the pretraining corpus into memory."""
    shards = sorted(folder.glob("shard_[0-9][0-9][0-9].npz"))
    if not shards:
        raise BookError(f"No pretraining features in {folder.name}: run "
                        "`python -m helpers.speech.corpus training` first.")
    parts, lengths, texts = [], [], []
    for shard in tqdm(shards, desc="reading shards", disable=None):
        with np.load(shard) as data:
            parts.append(data["features"])
            lengths.append(data["lengths"])
            texts.extend(data["texts"].tolist())
    all_lengths = np.concatenate(lengths)
    return Utterances(np.concatenate(parts), np.cumsum(all_lengths) - all_lengths, all_lengths,
                      [tokenizer.encode(text) for text in texts])


def batches(data: Utterances, frames_per_batch: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One epoch of batches of similar length, in random order."""
    jitter = rng.uniform(0.9, 1.1, len(data.lengths))
    order = np.argsort(data.lengths * jitter, kind="stable")
    epoch, batch, longest = [], [], 0
    for index in order:
        longest = max(longest, data.lengths[index])
        if batch and longest * (len(batch) + 1) > frames_per_batch:
            epoch.append(np.array(batch))
            batch, longest = [], data.lengths[index]
        batch.append(index)
    epoch.append(np.array(batch))
    rng.shuffle(epoch)
    return epoch


def padded(values: np.ndarray, data: Utterances, indices: np.ndarray) -> torch.Tensor:
    """Rows of a per-frame array, zero-padded: shape (batch, longest, ...)."""
    rows = [torch.from_numpy(values[data.starts[i]:data.starts[i] + data.lengths[i]])
            for i in indices]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def collate(data: Utterances, indices: np.ndarray, tokenizer) -> dict[str, torch.Tensor]:
    """Pad a batch into the tensors that `FunASRNano.forward` takes."""
    prompt = chat_prompt(tokenizer)
    rows, labels, tokens_of_speech = [], [], []
    for index in indices:
        count = speech_tokens(int(data.lengths[index]))
        source = prompt[0] + [0] * count + prompt[1]
        target = data.tokens[index] + [tokenizer.eos_token_id]
        rows.append(torch.tensor(source + target))
        labels.append(torch.tensor([-100] * len(source) + target))
        tokens_of_speech.append(count)
    pad = torch.nn.utils.rnn.pad_sequence
    input_ids = pad(rows, batch_first=True, padding_value=-1)
    return {
        "speech": padded(data.features, data, indices).float(),
        "speech_lengths": torch.from_numpy(data.lengths[indices].astype(np.int64)),
        "input_ids": input_ids,
        "attention_mask": (input_ids >= 0).int(),
        "labels_ids": pad(labels, batch_first=True, padding_value=-100),
        "fbank_beg": torch.full((len(indices), 1), len(prompt[0])),
        "fake_token_len": torch.tensor(tokens_of_speech)[:, None],
    }


def chat_prompt(tokenizer) -> tuple[list[int], list[int]]:
    """Token ids before and after the speech, split exactly where FunASR's dataset splits."""
    before = (f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n"
              f"<|im_start|>user\n{manifests.USER_PROMPT}")
    after = "<|im_end|>\n<|im_start|>assistant\n"
    return tokenizer.encode(before), tokenizer.encode(after)
