"""The CTC branch: forced alignment with FunASR's own function, and a model class that trains it.

`FunASRNano.forward` has no CTC loss. `FunASRNanoWithCTC` is that class with one added. A merged run
takes its class from the model directory's config, whatever the YAML says, so `instead_of_original`
puts the new class under the old name (`helpers.model.stand_in`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from funasr.models.fun_asr_nano.model import FunASRNano
from funasr.models.fun_asr_nano.tools.utils import forced_align

from funasr_preflight.laws.geometry import ENCODER_FRAME_SECONDS
from helpers.errors import BookError
from helpers.model.mini import Built
from helpers.model.stand_in import stand_in
from helpers.session import seeded
from helpers.speech import manifests


class FunASRNanoWithCTC(FunASRNano):
    """`FunASRNano` whose training loss has a CTC term.

    It obeys the keys that the original reads and does not use: `ctc_weight` scales the term, and
    with `detach_ctc_decoder: true` the term trains the branch and not the encoder. The targets are
    the answer's words, which the dataset gives as LLM tokens, encoded by the model's CTC tokenizer.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self._answer_tokenizer = kwargs["tokenizer"]
        self._encoded: tuple[torch.Tensor, torch.Tensor] | None = None

    def encode(self, *arguments, **kwargs):
        """The encoder's output, kept for the CTC term."""
        self._encoded = super().encode(*arguments, **kwargs)
        return self._encoded

    def forward(self, **batch):
        """FunASR's loss plus `ctc_weight` times the CTC loss, for each token of the targets."""
        answers = self._answers(batch["labels_ids"])
        loss, stats, weight = super().forward(**batch)
        hidden, lengths = self._encoded
        if self.detach_ctc_decoder:
            hidden = hidden.detach()
        term = ctc_loss(self, hidden, lengths, answers)
        stats["loss_ctc"] = term.detach()
        return loss + self.ctc_weight * term, stats, weight

    def _answers(self, labels: torch.Tensor) -> list[list[int]]:
        texts = [self._answer_tokenizer.decode(row[row >= 0].tolist(), skip_special_tokens=True)
                 for row in labels]
        return [self.ctc_tokenizer.encode(text.strip()) for text in texts]


def instead_of_original() -> AbstractContextManager[None]:
    """While this is open, FunASR builds `FunASRNanoWithCTC` where a config says `FunASRNano`."""
    return stand_in(FunASRNanoWithCTC)


def ctc_loss(model: torch.nn.Module, hidden: torch.Tensor, lengths: torch.Tensor,
             answers: Sequence[Sequence[int]]) -> torch.Tensor:
    """CTC loss of the model's branch, summed over a batch and divided by its target tokens.

    An utterance too short for its text has no finite loss and adds nothing.

    Args:
        model: a `FunASRNano` with a CTC branch.
        hidden: encoder output, shape (batch, frames, width).
        lengths: frames of each utterance, shape (batch,).
        answers: CTC tokens of each utterance.
    """
    decoded, _ = model.ctc_decoder(hidden, lengths)
    log_probabilities = model.ctc.log_softmax(decoded).float().transpose(0, 1)
    targets = torch.tensor([token for answer in answers for token in answer])
    sizes = torch.tensor([len(answer) for answer in answers])
    losses = model.ctc.ctc_loss(log_probabilities, targets.to(hidden.device), lengths.cpu().int(),
                                sizes)
    return losses[torch.isfinite(losses)].sum() / max(1, int(sizes.sum()))


@dataclass(frozen=True)
class Alignment:
    """Where the CTC branch puts the tokens of a known text.

    Attributes:
        starts: first frame of each token, in seconds, shape (tokens,).
        scores: the branch's probability of each token where it is surest of it.
        loss: the CTC loss for each token.
    """

    starts: np.ndarray
    scores: np.ndarray
    loss: float


def align(built: Built, item: dict) -> Alignment:
    """Align an utterance's own transcript, as FunASR aligns what it recognised.

    Raises:
        BookError: the model has no CTC branch, or the utterance is too short for its text.
    """
    if built.model.ctc_decoder is None:
        raise BookError("This model has no CTC branch to align with.")
    answer = built.model.ctc_tokenizer.encode(manifests.transcript(item))
    with torch.no_grad(), seeded(0):
        hidden, lengths = built.encoded(item)
        decoded, _ = built.model.ctc_decoder(hidden, lengths)
        log_probabilities = built.model.ctc.log_softmax(decoded)[0]
        loss = ctc_loss(built.model, hidden, lengths, [answer]).item()
    tokens = forced_align(log_probabilities, torch.tensor(answer), built.model.blank_id)
    if not tokens:
        raise BookError(f"{item['key']} has more tokens than frames: it cannot be aligned.")
    return Alignment(np.array([token["start_time"] for token in tokens]) * ENCODER_FRAME_SECONDS,
                     np.array([token["score"] for token in tokens]), loss)


@dataclass(frozen=True)
class Drift:
    """How far alignments lie from those of a reference.

    Attributes:
        milliseconds: mean absolute distance of the tokens' starts.
        moved: share of tokens that start more than one frame away.
        score: mean of the branch's probabilities.
        loss: mean CTC loss for each token.
    """

    milliseconds: float
    moved: float
    score: float
    loss: float


def drift(alignments: Sequence[Alignment], reference: Sequence[Alignment]) -> Drift:
    """Compare alignments of the same utterances, token by token.

    Raises:
        BookError: the two do not hold the same utterances in the same order.
    """
    sizes, expected = ([len(alignment.starts) for alignment in several]
                       for several in (alignments, reference))
    if sizes != expected:
        raise BookError("The alignments are not of the same utterances in the same order: align "
                        "both models on one list of items.")
    pairs = list(zip(alignments, reference, strict=True))
    distances = np.concatenate([np.abs(alignment.starts - other.starts)
                                for alignment, other in pairs])
    moved = distances > 1.5 * ENCODER_FRAME_SECONDS
    return Drift(1000 * float(distances.mean()), float(moved.mean()),
                 float(np.concatenate([alignment.scores for alignment, _ in pairs]).mean()),
                 float(np.mean([alignment.loss for alignment, _ in pairs])))
