"""Decode with FunASR's own inference path, and score words with intervals.

`python -m helpers.pretraining.wer` (`make wer`) prints the mini's table: wideband and telephone
audio, LLM and CTC branch, unseen voices and sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from helpers.errors import BookError
from helpers.evaluation import normalise
from helpers.evaluation.error_rates import error_counts, error_rate
from helpers.evaluation.intervals import ErrorRate
from helpers.model.funasr_private import decode_batch, decodes_batches
from helpers.model.mini import Built, modes_given_back
from helpers.session import seeded
from helpers.speech import manifests

BRANCHES = ("llm", "ctc")
NO_CTC = ("CTC is left out: this copy of the weights holds no CTC tensors, as the one on Hugging "
          "Face, and FunASR then removes the branch and gives no timestamps. The copy on "
          "ModelScope has them.")
"""What is said once where a model cannot be decoded with CTC."""
BATCH = 24
LONGEST_ANSWER_TOKENS = 96


@dataclass(frozen=True)
class Hypothesis:
    """What the model heard in one utterance; a branch that was not asked for is None."""

    key: str
    reference: str
    voice: str
    llm: str | None = None
    ctc: str | None = None


def decode(built: Built, items: Sequence[dict], branch: str = "llm",
           progress: str | None = None, seed: int = 0,
           longest_answer: int = LONGEST_ANSWER_TOKENS) -> list[Hypothesis]:
    """Transcribe manifest items greedily.

    Args:
        branch: "llm" for FunASR's batched LLM decoding, "ctc" for the CTC branch's best path,
            "both" for FunASR's one-by-one inference, which returns both at once.
        seed: seed of the frontend's dither, which would otherwise change a word now and then.
            The caller's random state is given back.
        longest_answer: tokens after which the LLM is stopped.

    Raises:
        BookError: an unknown branch, or a CTC branch that the model does not have.
    """
    decoders = {"llm": partial(_decode_llm, longest_answer=longest_answer), "ctc": _decode_ctc,
                "both": partial(_decode_both, longest_answer=longest_answer)}
    if branch not in decoders:
        raise BookError(f"There is no branch `{branch}`: choose llm, ctc or both.")
    if branch != "llm" and built.model.ctc_decoder is None:
        raise BookError("This model has no CTC branch: FunASR removes it when the checkpoint "
                        "does not hold its weights. Decode with branch='llm'.")
    bar = tqdm(total=len(items), desc=progress, disable=None if progress else True)
    hypotheses: dict[int, Hypothesis] = {}
    by_length = sorted(range(len(items)), key=lambda i: items[i]["speech_length"])
    with torch.no_grad(), seeded(seed), _inference_state(built.model), bar:
        for start in range(0, len(items), BATCH):
            chosen = by_length[start:start + BATCH]
            decoded = decoders[branch](built, [items[i] for i in chosen])
            hypotheses.update(zip(chosen, decoded, strict=True))
            bar.update(len(chosen))
    return [hypotheses[i] for i in range(len(items))]


def inference(built: Built, items: Sequence[dict], **arguments) -> list[dict]:
    """What `FunASRNano.inference` returns for utterances handed to it in one call."""
    with torch.no_grad(), seeded(0), _inference_state(built.model):
        return _inferred(built, items, **arguments)


def branches_of(built: Built) -> tuple[str, ...]:
    """The branches that a model can be decoded with; where CTC is none, a printed sentence."""
    if built.model.ctc_decoder is not None:
        return BRANCHES
    print(NO_CTC)
    return BRANCHES[:1]


def score(hypotheses: Sequence[Hypothesis], branch: str,
          language: str | None = None) -> ErrorRate:
    """Error rate of one branch of `decode`'s result.

    Args:
        language: compare normalised texts in this language (`helpers.evaluation.normalise`), as the
            style of a real recogniser demands; None compares them as they are.
    """
    texts = [hypothesis.reference for hypothesis in hypotheses], texts_of(hypotheses, branch)
    voices = [hypothesis.voice for hypothesis in hypotheses]
    if language is None:
        return error_rate(*texts, voices)
    return normalise.error_rate(*texts, voices, language)


def hear(built: Built, bands: Mapping[str, Sequence[dict]], branches: Sequence[str] = BRANCHES,
         seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Word errors of each sentence: band to branch to integers of shape (sentences,).

    Args:
        bands: name of a version of the sentences to its manifest lines.
        seed: as for `decode`.
    """
    def errors(items: Sequence[dict], branch: str) -> np.ndarray:
        hypotheses = decode(built, items, branch, seed=seed)
        references = [hypothesis.reference for hypothesis in hypotheses]
        return error_counts(references, texts_of(hypotheses, branch))[0]

    return {band: {branch: errors(items, branch) for branch in branches}
            for band, items in bands.items()}


def texts_of(hypotheses: Sequence[Hypothesis], branch: str) -> list[str]:
    """What a branch wrote in each utterance."""
    texts = [getattr(hypothesis, branch) for hypothesis in hypotheses]
    if any(text is None for text in texts):
        raise BookError(f"Branch {branch} was not decoded: call decode(..., branch='{branch}').")
    return texts


@contextmanager
def _inference_state(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, and the LLM's dtype given back afterwards: FunASR's inference casts it."""
    dtype = next(model.llm.parameters()).dtype
    with modes_given_back(model):
        model.eval()
        try:
            yield
        finally:
            model.llm.to(dtype)


def _inference_arguments(built: Built) -> dict:
    """The config keys that FunASR hands to `inference`, as `AutoModel.generate` does."""
    return built.plain_kwargs | {"max_length": LONGEST_ANSWER_TOKENS, "device": str(built.device)}


def _inferred(built: Built, items: Sequence[dict], **arguments) -> list[dict]:
    results, _ = built.model.inference(
        [manifests.audio_path(item) for item in items], key=[item["key"] for item in items],
        tokenizer=built.tokenizer, frontend=built.frontend,
        **_inference_arguments(built) | arguments)
    return results


def _decode_llm(built: Built, items: Sequence[dict], longest_answer: int) -> list[Hypothesis]:
    if not decodes_batches(built.model):
        return _decode_both(built, items, longest_answer)
    prompt = built.model.get_prompt([])
    chats = [built.model.generate_chatml(prompt, manifests.audio_path(item)) for item in items]
    results = decode_batch(
        built.model, chats, None, [item["key"] for item in items], built.tokenizer,
        built.frontend, **_inference_arguments(built) | {"max_length": longest_answer})
    return [_hypothesis(item, llm=result["text"])
            for item, result in zip(items, results, strict=True)]


def _decode_both(built: Built, items: Sequence[dict], longest_answer: int) -> list[Hypothesis]:
    results = ((item, _inferred(built, [item], max_length=longest_answer)[0]) for item in items)
    return [_hypothesis(item, result["text"], result.get("ctc_text")) for item, result in results]


def _decode_ctc(built: Built, items: Sequence[dict]) -> list[Hypothesis]:
    model, hypotheses = built.model, []
    for item in items:
        hidden, _ = model.ctc_decoder(*built.encoded(item))
        best = torch.unique_consecutive(model.ctc.argmax(hidden)[0])
        text = model.ctc_tokenizer.decode(best[best != model.blank_id].tolist())
        hypotheses.append(_hypothesis(item, ctc=text))
    return hypotheses


def _hypothesis(item: dict, llm: str | None = None, ctc: str | None = None) -> Hypothesis:
    def tidy(text: str | None) -> str | None:
        return None if text is None else " ".join(text.replace("<|nospeech|>", "").split())

    return Hypothesis(item["key"], manifests.transcript(item), manifests.voice(item),
                      tidy(llm), tidy(ctc))
