"""Pretrain the mini on wideband speech: `make mini`.

The released `FunASRNano.forward` has the LLM's loss only. The mini must also hear through its CTC
branch, so this script adds two terms to it, both computed from what FunASR's modules return:

- a CTC loss on the encoder's output, through the model's own `ctc_decoder` and `ctc`;
- a *squeeze* loss. The adaptor hands the LLM the first eighth of its frames, so frame i must
  carry what was said in frames 8i to 8i+7. A throw-away linear layer is asked to name, from
  frame i, the eight labels that the CTC branch hears there. It is not part of the model.

Everything is seeded. The log is JSON lines, written as training goes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from tqdm import tqdm

from helpers import configs, corpus, mini
from helpers.errors import BookError
from helpers.paths import CACHE, MINI

SQUEEZE = 8
"""Speech frames per token that the LLM receives (FunASR's dataset, `fake_token_len`)."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a pretraining run, beside the corpus."""

    seed: int = 7
    steps: int = 4_500
    frames_per_batch: int = 1_600  # low-frame-rate frames of 60 ms, padding included
    learning_rate: float = 1.0e-3
    warmup_steps: int = 300
    weight_decay: float = 0.01
    grad_clip: float = 1.0
    ctc_weight: float = 0.5
    squeeze_weight: float = 0.5
    dropout: bool = False  # tens of thousands of utterances need none, and it costs a fifth
    threads: int = 1
    bf16: bool = True


@dataclass(frozen=True)
class Utterances:
    """Features of many utterances in one array, and their token ids.

    Attributes:
        features: float16, shape (frames of all utterances, 560).
        starts: first frame of each utterance; `lengths`: its number of frames.
        tokens: token ids of each transcript (the LLM's and the CTC branch's ids agree).
    """

    features: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    tokens: list[list[int]]


def load_utterances(folder: Path, tokenizer) -> Utterances:
    """Read every shard of the pretraining corpus into memory."""
    shards = sorted(folder.glob("shard_[0-9][0-9][0-9].npz"))
    if not shards:
        raise BookError(f"No pretraining features in {folder.name}: run "
                        "`python -m helpers.corpus training` first.")
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
    found, batch, longest = [], [], 0
    for index in order:
        longest = max(longest, data.lengths[index])
        if batch and longest * (len(batch) + 1) > frames_per_batch:
            found.append(np.array(batch))
            batch, longest = [], data.lengths[index]
        batch.append(index)
    found.append(np.array(batch))
    rng.shuffle(found)
    return found


def speech_tokens(frames: int) -> int:
    """How many speech tokens the LLM receives for a number of 60 ms frames (FunASR's formula)."""
    halved = 1 + (frames - 1) // 2
    return (1 + (halved - 1) // 2 - 1) // 2 + 1


def collate(data: Utterances, indices: np.ndarray, prompt: tuple[list[int], list[int]],
            end_of_turn: int) -> dict[str, torch.Tensor]:
    """Pad a batch into the tensors that `FunASRNano.forward` takes."""
    longest = int(data.lengths[indices].max())
    speech = torch.zeros(len(indices), longest, data.features.shape[1])
    rows, labels, tokens_of_speech = [], [], []
    for row, index in enumerate(indices):
        start, length = int(data.starts[index]), int(data.lengths[index])
        speech[row, :length] = torch.from_numpy(data.features[start:start + length].astype("f4"))
        count = speech_tokens(length)
        source = prompt[0] + [0] * count + prompt[1]
        target = data.tokens[index] + [end_of_turn]
        rows.append(torch.tensor(source + target))
        labels.append(torch.tensor([-100] * len(source) + target))
        tokens_of_speech.append(count)
    pad = torch.nn.utils.rnn.pad_sequence
    input_ids = pad(rows, batch_first=True, padding_value=-1)
    return {
        "speech": speech,
        "speech_lengths": torch.from_numpy(data.lengths[indices].astype(np.int64)),
        "input_ids": input_ids,
        "attention_mask": (input_ids >= 0).int(),
        "labels_ids": pad(labels, batch_first=True, padding_value=-100),
        "fbank_beg": torch.full((len(indices), 1), len(prompt[0])),
        "fake_token_len": torch.tensor(tokens_of_speech)[:, None],
    }


class SqueezeHead(torch.nn.Module):
    """Name the CTC labels of frames 8i to 8i+7 from the adaptor's frame i. Training only."""

    def __init__(self, adaptor_dim: int, labels: int):
        super().__init__()
        self.labels = labels  # ids from 0; the last one stands for the CTC blank
        self.linear = torch.nn.Linear(adaptor_dim, SQUEEZE * labels)

    def forward(self, adaptor_out: torch.Tensor, ctc_argmax: torch.Tensor,
                lengths: torch.Tensor) -> torch.Tensor:
        """Cross-entropy against the CTC branch's own labels, blanks weighing one tenth.

        Args:
            adaptor_out: shape (batch, frames, adaptor_dim).
            ctc_argmax: the CTC branch's label of each frame, shape (batch, frames).
            lengths: frames of each utterance, shape (batch,).
        """
        frames = ctc_argmax.shape[1]
        groups = -(-frames // SQUEEZE)
        blank = self.labels - 1
        labels = torch.nn.functional.pad(ctc_argmax.clamp(max=blank),
                                         (0, groups * SQUEEZE - frames), value=-100)
        inside = torch.arange(groups * SQUEEZE)[None] < lengths[:, None]
        labels = labels.masked_fill(~inside, -100)
        scores = self.linear(adaptor_out[:, :groups]).view(-1, self.labels)
        weight = torch.ones(self.labels)
        weight[blank] = 0.1
        return torch.nn.functional.cross_entropy(scores.float(), labels.reshape(-1), weight,
                                                 ignore_index=-100)


class JointLoss(torch.nn.Module):
    """FunASR's forward pass, with the CTC and squeeze losses added to its own loss."""

    def __init__(self, built: mini.Built, recipe: Recipe):
        super().__init__()
        self.model, self.recipe = built.model, recipe
        self.text_vocabulary = len(built.model.ctc_tokenizer.encoding._mergeable_ranks)
        dim = built.model.audio_adaptor.llm_dim
        self.squeeze = SqueezeHead(dim, self.text_vocabulary + 1)
        self._seen: dict[str, torch.Tensor] = {}
        for name in ("audio_encoder", "audio_adaptor"):
            module = getattr(self.model, name)
            module.register_forward_hook(lambda _m, _i, out, name=name: self._keep(name, out))

    def _keep(self, name: str, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        self._seen[name], self._seen["lengths"] = output[0], output[1]

    def forward(self, batch: dict[str, torch.Tensor], tokens: list[list[int]]
                ) -> dict[str, torch.Tensor]:
        llm_loss, stats, _ = self.model(**batch)
        lengths = self._seen["lengths"]
        hidden, _ = self.model.ctc_decoder(self._seen["audio_encoder"], lengths)
        log_probabilities = self.model.ctc.log_softmax(hidden).float()
        ctc = self.model.ctc.ctc_loss(
            log_probabilities.transpose(0, 1), torch.tensor(sum(tokens, [])), lengths,
            torch.tensor([len(t) for t in tokens]))
        target_lengths = torch.tensor([max(1, len(t)) for t in tokens])
        ctc_loss = (torch.where(torch.isfinite(ctc), ctc, 0.0) / target_lengths).mean()
        heard = log_probabilities.detach().argmax(-1)
        squeeze_loss = self.squeeze(self._seen["audio_adaptor"], heard, lengths)
        total = (llm_loss + self.recipe.ctc_weight * ctc_loss
                 + self.recipe.squeeze_weight * squeeze_loss)
        return {"loss": total, "llm": llm_loss.detach(), "ctc": ctc_loss.detach(),
                "squeeze": squeeze_loss.detach(), "accuracy": stats["acc"]}


def learning_rate_at(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine down to 2 % of the peak."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    progress = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def trainable_mini(seed: int) -> mini.Built:
    """The pretrained config's mini with every part trainable and all weights in float32."""
    config = OmegaConf.merge(configs.load("pretrained"), {
        "audio_encoder_conf": {"freeze": False}, "audio_adaptor_conf": {"freeze": False},
        "llm_conf": {"freeze": False, "llm_dtype": "fp32"}})
    return mini.build(config, load_weights=False, seed=seed)


def pretrain(recipe: Recipe, shards: Path, output: Path, start_from: Path | None = None,
             save_every: int = 500) -> None:
    """Train, saving weights and log as it goes; the result is `output/model.safetensors`."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    built = trainable_mini(recipe.seed)
    model = built.model
    if start_from:
        model.load_state_dict(mini.read_weights(start_from))
    if recipe.bf16:
        model.llm_dtype = "bf16"  # weights stay float32; the LLM's matmuls run in bfloat16
    joint = JointLoss(built, recipe)
    optimizer = torch.optim.AdamW(joint.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98),
                                  weight_decay=recipe.weight_decay)
    tokenizer = built.tokenizer
    data = load_utterances(shards, tokenizer)
    prompt = chat_prompt(tokenizer)
    output.mkdir(parents=True, exist_ok=True)
    log = (output / "pretraining_log.jsonl").open("w", encoding="utf-8")
    hours = float(data.lengths.sum()) * 0.06 / 3600
    _write_log(log, recipe=asdict(recipe), utterances=len(data.tokens), hours=round(hours, 2),
               torch=torch.__version__)
    queue, started, sums, counted = [], time.perf_counter(), {}, 0
    model.train()
    if not recipe.dropout:
        turn_off_dropout(model)
    for step in tqdm(range(recipe.steps), desc="pretraining", disable=None):
        if not queue:
            queue = batches(data, recipe.frames_per_batch, rng)
        indices = queue.pop()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, recipe)
        batch = collate(data, indices, prompt, tokenizer.eos_token_id)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            losses = joint(batch, [data.tokens[i] for i in indices])
        losses["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(joint.parameters(), recipe.grad_clip)
        if torch.isfinite(norm):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        counted += 1
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if (step + 1) % 50 == 0:
            _write_log(log, step=step + 1, lr=round(learning_rate_at(step, recipe), 8),
                       seconds=round(time.perf_counter() - started, 1),
                       **{name: round(value / counted, 4) for name, value in sums.items()})
            sums, counted = {}, 0
        if (step + 1) % save_every == 0 or step + 1 == recipe.steps:
            mini.write_weights(model, output / "model.safetensors")
    log.close()


def turn_off_dropout(model: torch.nn.Module) -> None:
    """Set every dropout layer's rate to zero, in place."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def chat_prompt(tokenizer) -> tuple[list[int], list[int]]:
    """Token ids before and after the speech, split exactly where FunASR's dataset splits."""
    before = (f"<|im_start|>system\n{corpus.SYSTEM_PROMPT}<|im_end|>\n"
              f"<|im_start|>user\n{corpus.USER_PROMPT}")
    after = "<|im_end|>\n<|im_start|>assistant\n"
    return tokenizer.encode(before), tokenizer.encode(after)


def _write_log(file, **entry) -> None:
    file.write(json.dumps(entry) + "\n")
    file.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.pretrain", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=MINI)
    parser.add_argument("--shards", type=Path, default=CACHE / "pretraining")
    parser.add_argument("--start-from", type=Path, help="weights of an earlier run")
    for name, default in asdict(Recipe()).items():
        kind = type(default) if not isinstance(default, bool) else (lambda text: text == "true")
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    options = vars(parser.parse_args(arguments))
    paths = {key: options.pop(key) for key in ("output", "shards", "start_from")}
    try:
        pretrain(Recipe(**options), paths["shards"], paths["output"], paths["start_from"])
    except BookError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
