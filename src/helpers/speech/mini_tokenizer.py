"""The mini's tokenizers: one set of byte-level BPE merges, stored for both of the model's uses.

Fun-ASR-Nano reads text twice: its LLM with Qwen's Hugging Face tokenizer, its CTC branch with a
tiktoken vocabulary. Both are byte-level BPE, so the mini trains one small set of merges and
writes it in both formats.
"""

from __future__ import annotations

import base64
from pathlib import Path

from funasr_preflight.converting.lines import SYSTEM_PROMPT
from helpers.paths import MINI
from helpers.speech.manifests import USER_PROMPT

VOCABULARY_SIZE = 896
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PROMPT_REPEATS = 2000  # so that the fixed prompt costs few tokens


def train(texts: list[str], folder: Path = MINI) -> None:
    """Train the merges on the corpus texts and the chat prompt, and write both files."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    prompt = f"system\n{SYSTEM_PROMPT}\nuser\n{USER_PROMPT}\nassistant\n"
    tokenizer.train_from_iterator([*texts, *[prompt] * PROMPT_REPEATS], trainer)
    _write_tiktoken(tokenizer.get_vocab(), folder / "multilingual.tiktoken")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>",
                                   pad_token="<|endoftext|>")
    fast.add_special_tokens({"additional_special_tokens": SPECIAL_TOKENS})
    fast.save_pretrained(folder / "Qwen3-0.6B")


def load(folder: Path = MINI):
    """The Hugging Face tokenizer of the mini (offline, from the repository)."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder / "Qwen3-0.6B")


def _write_tiktoken(vocabulary: dict[str, int], path: Path) -> None:
    """Write `base64(token bytes) rank` lines, the format of tiktoken's vocabularies."""
    byte_of = _byte_of_symbol()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        for token, rank in sorted(vocabulary.items(), key=lambda pair: pair[1]):
            raw = bytes(byte_of[symbol] for symbol in token)
            file.write(f"{base64.b64encode(raw).decode()} {rank}\n")


def _byte_of_symbol() -> dict[str, int]:
    """Undo byte-level BPE's printable stand-ins: printable Latin-1 stands for itself, the other
    bytes follow from U+0100 in order (the convention of the GPT-2 tokenizer)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    symbols = {chr(byte): byte for byte in printable}
    symbols.update({chr(0x100 + offset): byte for offset, byte in enumerate(hidden)})
    return symbols
