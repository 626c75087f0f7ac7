"""Pretrain the mini on wideband speech: `make mini`.

The released `FunASRNano.forward` has the LLM's loss only. The mini must also hear through its CTC
branch, so this script adds two terms to it, both computed from what FunASR's modules return:

- a CTC loss on the encoder's output, through the model's own `ctc_decoder` and `ctc`;
- a *squeeze* loss. The adaptor hands the LLM the first eighth of its frames, so frame i must
  carry what was said in frames 8i to 8i+7. A throw-away linear layer is asked to name, from
  frame i, the eight labels that the CTC branch hears there. It is not part of the model.

First the encoder learns to hear, with the CTC loss alone and short utterances first: on long ones
the loss stays on its plateau of blanks several times longer. Then everything learns together, in
two rounds of warm-up and cosine. A further round, not part of the committed weights, lets encoder
and CTC branch rest: the encoder's outputs are computed once and kept, and adaptor and LLM go on
alone at a third of the cost.

Everything is seeded. The log is JSON lines, written as training goes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from omegaconf import OmegaConf
from tqdm import tqdm

from funasr_preflight.laws import geometry
from helpers.config import configs
from helpers.errors import one_sentence
from helpers.model import mini
from helpers.paths import CACHE, MINI
from helpers.pretraining.data import Utterances, batches, collate, load_utterances, padded

Stage = Literal["hearing", "joint", "speaking"]


@dataclass(frozen=True)
class Round:
    """Everything that decides one stage of pretraining, beside the corpus."""

    stage: Stage = "joint"
    seed: int = 8
    steps: int = 1_300
    frames_per_batch: int = 1_200  # low-frame-rate frames of 60 ms, padding included
    learning_rate: float = 1.0e-3
    last_share: float = 0.1  # of the peak learning rate, at the end of the cosine
    warmup_steps: int = 100
    weight_decay: float = 0.01
    grad_clip: float = 2.0
    ctc_weight: float = 0.5
    squeeze_weight: float = 0.5
    short_first: int = 0  # steps over which the longest utterance grows from 2 s to all
    dropout: bool = False  # tens of thousands of utterances need none, and it costs a fifth
    threads: int = 1
    bf16: bool = True


STAGES = (
    Round(stage="hearing", seed=7, steps=1_800, frames_per_batch=900, last_share=0.7,
          short_first=1_500),
    Round(),
    Round(seed=9, steps=1_700, learning_rate=8e-4, last_share=0.03),
)
"""The rounds that made the committed weights."""
FURTHER = Round(stage="speaking", seed=10, steps=8_000, frames_per_batch=1_600,
                learning_rate=8e-4, last_share=0.02)
"""One more round, for whoever has the hours: `python -m helpers.pretraining.pretrain --stage 4`."""


class SqueezeHead(torch.nn.Module):
    """Name the CTC labels of frames 8i to 8i+7 from the adaptor's frame i. Training only."""

    def __init__(self, adaptor_dim: int, labels: int):
        super().__init__()
        self.labels = labels  # ids from 0; the last one stands for the CTC blank
        self.linear = torch.nn.Linear(adaptor_dim, geometry.ENCODER_FRAMES_A_TOKEN * labels)

    def forward(self, adaptor_out: torch.Tensor, ctc_argmax: torch.Tensor,
                lengths: torch.Tensor) -> torch.Tensor:
        """Cross-entropy against the CTC branch's own labels, blanks weighing one tenth.

        Args:
            adaptor_out: shape (batch, frames, adaptor_dim).
            ctc_argmax: the CTC branch's label of each frame, shape (batch, frames).
            lengths: frames of each utterance, shape (batch,).
        """
        frames = ctc_argmax.shape[1]
        groups = geometry.speech_tokens(frames)
        positions = groups * geometry.ENCODER_FRAMES_A_TOKEN
        blank = self.labels - 1
        labels = torch.nn.functional.pad(ctc_argmax.clamp(max=blank),
                                         (0, positions - frames), value=-100)
        inside = torch.arange(positions)[None] < lengths[:, None]
        labels = labels.masked_fill(~inside, -100)
        scores = self.linear(adaptor_out[:, :groups]).view(-1, self.labels)
        weight = torch.ones(self.labels)
        weight[blank] = 0.1
        return torch.nn.functional.cross_entropy(scores.float(), labels.reshape(-1), weight,
                                                 ignore_index=-100)


class JointLoss(torch.nn.Module):
    """FunASR's forward pass, with the CTC and squeeze losses added to its own loss."""

    def __init__(self, built: mini.Built, recipe: Round):
        super().__init__()
        self.model, self.recipe = built.model, recipe
        text_vocabulary = len(built.model.ctc_tokenizer.encoding.token_byte_values())
        self.squeeze = SqueezeHead(built.model.audio_adaptor.llm_dim, text_vocabulary + 1)
        self._seen: dict[str, torch.Tensor] = {}
        for name in ("audio_encoder", "audio_adaptor"):
            module = getattr(self.model, name)
            module.register_forward_hook(lambda _m, _i, out, name=name: self._keep(name, *out))

    def _keep(self, name: str, output: torch.Tensor, lengths: torch.Tensor) -> None:
        self._seen[name], self._seen["lengths"] = output, lengths

    def forward(self, batch: dict[str, torch.Tensor], tokens: list[list[int]],
                heard: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Losses of one batch; `heard` (CTC labels, shape (batch, frames)) replaces the CTC
        branch and its loss while the encoder rests."""
        if self.recipe.stage == "hearing":
            self.model.encode(batch["speech"], batch["speech_lengths"])
            llm_loss = squeeze_loss = accuracy = torch.tensor(0.0)
        else:
            llm_loss, stats, _ = self.model(**batch)
            accuracy = stats["acc"]
        lengths = self._seen["lengths"]
        ctc_loss = torch.tensor(0.0)
        if heard is None:
            hidden, _ = self.model.ctc_decoder(self._seen["audio_encoder"], lengths)
            log_probabilities = self.model.ctc.log_softmax(hidden).float()
            ctc_loss = self._ctc_loss(log_probabilities, lengths, tokens)
            heard = log_probabilities.detach().argmax(-1)
        if self.recipe.stage != "hearing":
            squeeze_loss = self.squeeze(self._seen["audio_adaptor"], heard, lengths)
        total = (llm_loss + self.recipe.ctc_weight * ctc_loss
                 + self.recipe.squeeze_weight * squeeze_loss)
        return {"loss": total, "llm": llm_loss.detach(), "ctc": ctc_loss.detach(),
                "squeeze": squeeze_loss.detach(), "accuracy": accuracy}

    def _ctc_loss(self, log_probabilities: torch.Tensor, lengths: torch.Tensor,
                  tokens: list[list[int]]) -> torch.Tensor:
        """CTC loss a token, averaged over the utterances; impossible alignments count zero."""
        token_counts = torch.tensor([len(t) for t in tokens])
        loss = self.model.ctc.ctc_loss(log_probabilities.transpose(0, 1),
                                       torch.tensor(sum(tokens, [])), lengths, token_counts)
        return (torch.where(torch.isfinite(loss), loss, 0.0) / token_counts.clamp(min=1)).mean()


class RestingEncoder(torch.nn.Module):
    """Stands in for an encoder whose outputs are cached: hands its input on."""

    def forward(self, encoded: torch.Tensor, lengths: torch.Tensor):
        return encoded, lengths


@torch.no_grad()
def encode_once(model: torch.nn.Module, data: Utterances, frames_per_batch: int) -> Utterances:
    """Replace features by encoder outputs, and note what the CTC branch hears in each frame."""
    dim = model.audio_encoder.output_size()
    encoded = np.empty((len(data.features), dim), dtype=np.float16)
    heard = np.empty(len(data.features), dtype=np.int64)
    model.eval()
    for indices in tqdm(batches(data, frames_per_batch, np.random.default_rng(0)),
                        desc="encoding", disable=None):
        lengths = torch.from_numpy(data.lengths[indices].astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16):
            hidden, _ = model.encode(padded(data.features, data, indices).float(), lengths)
            decoded, _ = model.ctc_decoder(hidden, lengths)
            labels = model.ctc.argmax(decoded)
        for row, index in enumerate(indices):
            rows = slice(data.starts[index], data.starts[index] + data.lengths[index])
            encoded[rows] = hidden[row, :data.lengths[index]].float().numpy()
            heard[rows] = labels[row, :data.lengths[index]].numpy()
    return replace(data, features=encoded, heard=heard)


def learning_rate_at(step: int, recipe: Round) -> float:
    """Linear warm-up, then a half cosine down to `last_share` of the peak."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    progress = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return recipe.learning_rate * (recipe.last_share + (1 - recipe.last_share) * cosine)


def longest_frames_at(step: int, recipe: Round) -> float:
    """The longest utterance (in 60 ms frames) that this step may use."""
    if step >= recipe.short_first:
        return math.inf
    return (2.0 + 8.0 * step / recipe.short_first) / geometry.ENCODER_FRAME_SECONDS


def trainable_mini(seed: int) -> mini.Built:
    """The pretrained config's mini with every part trainable and all weights in float32."""
    config = OmegaConf.merge(configs.load("pretrained"), {
        "audio_encoder_conf": {"freeze": False}, "audio_adaptor_conf": {"freeze": False},
        "llm_conf": {"freeze": False, "llm_dtype": "fp32"}})
    return mini.build(config, load_weights=False, seed=seed)


def pretrain(recipe: Round, shards: Path, output: Path, start_from: Path | None = None,
             save_every: int = 500) -> None:
    """Run one stage. Weights and log are saved as it goes, under `output`.

    Args:
        shards: folder of `helpers.speech.corpus training`.
        output: gets `model.safetensors` and, appended to, `pretraining_log.jsonl`.
        start_from: weights to go on from; random ones without it.
    """
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    built = trainable_mini(recipe.seed)
    model, tokenizer = built.model, built.tokenizer
    if start_from:
        model.load_state_dict(mini.read_weights(start_from))
    data = load_utterances(shards, tokenizer)
    resting = {}
    if recipe.stage == "speaking":
        data = encode_once(model, data, 4 * recipe.frames_per_batch)
        resting = {key: tensor for key, tensor in model.state_dict().items()
                   if key.startswith("audio_encoder.")}
        model.audio_encoder = RestingEncoder()
        for part in (model.ctc_decoder, model.ctc):
            part.requires_grad_(False)
    if recipe.bf16:
        model.llm_dtype = "bf16"  # weights stay float32; the LLM's matmuls run in bfloat16
    joint = JointLoss(built, recipe)
    learning = [p for p in joint.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=recipe.learning_rate, betas=(0.9, 0.98),
                                  weight_decay=recipe.weight_decay, fused=True)
    model.train()
    if not recipe.dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    output.mkdir(parents=True, exist_ok=True)
    with (output / "pretraining_log.jsonl").open("a", encoding="utf-8") as log:
        hours = float(data.lengths.sum()) * geometry.ENCODER_FRAME_SECONDS / 3600
        _write_log(log, recipe=asdict(recipe), utterances=len(data.tokens), hours=round(hours, 2),
                   torch=torch.__version__)
        clock = time.perf_counter()
        sums: dict[str, float] = {}
        for step, indices in enumerate(tqdm(_stream(data, recipe, rng), total=recipe.steps,
                                            desc=recipe.stage, disable=None)):
            losses = _train_step(joint, optimizer, learning, data, indices, tokenizer, step)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / 50
            if (step + 1) % 50 == 0:
                _write_log(log, step=step + 1, lr=round(learning_rate_at(step, recipe), 8),
                           seconds=round(time.perf_counter() - clock, 1),
                           **{name: round(value, 4) for name, value in sums.items()})
                sums = {}
            if (step + 1) % save_every == 0 or step + 1 == recipe.steps:
                mini.write_weights(model.state_dict() | resting, output / "model.safetensors")


def _stream(data: Utterances, recipe: Round, rng: np.random.Generator):
    """Batches of utterance numbers, epoch after epoch, until the stage's steps are done."""
    step = 0
    while step < recipe.steps:
        for indices in batches(data, recipe.frames_per_batch, rng):
            if data.lengths[indices].max() <= longest_frames_at(step, recipe):
                yield indices
                step += 1
            if step == recipe.steps:
                return


def _train_step(joint: JointLoss, optimizer, learning: list, data: Utterances,
                indices: np.ndarray, tokenizer, step: int) -> dict[str, torch.Tensor]:
    recipe = joint.recipe
    for group in optimizer.param_groups:
        group["lr"] = learning_rate_at(step, recipe)
    batch = collate(data, indices, tokenizer)
    heard = None if data.heard is None else padded(data.heard, data, indices)
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
        losses = joint(batch, [data.tokens[i] for i in indices], heard)
    losses["loss"].backward()
    norm = torch.nn.utils.clip_grad_norm_(learning, recipe.grad_clip)
    if torch.isfinite(norm):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return losses


def _write_log(file, **entry) -> None:
    file.write(json.dumps(entry) + "\n")
    file.flush()


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.pretraining.pretrain",
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=MINI)
    parser.add_argument("--shards", type=Path, default=CACHE / "pretraining")
    parser.add_argument("--stage", type=int, choices=range(1, len(STAGES) + 2),
                        help="only this stage; the later ones go on from the output's weights")
    parser.add_argument("--steps", type=int, help="another number of steps, for a quick try")
    options = parser.parse_args(arguments)
    weights, log = (options.output / name for name in
                    ("model.safetensors", "pretraining_log.jsonl"))
    for number, recipe in enumerate((*STAGES, FURTHER), start=1):
        selected = recipe in STAGES if options.stage is None else options.stage == number
        if selected:
            if number == 1:
                log.unlink(missing_ok=True)
            shortened = replace(recipe, steps=options.steps) if options.steps else recipe
            pretrain(shortened, options.shards, options.output,
                     start_from=weights if number > 1 else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
