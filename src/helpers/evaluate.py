"""Decode with FunASR's own inference path, and score words with intervals.

`python -m helpers.evaluate` (`make wer`) prints the mini's table: wideband and telephone audio,
LLM and CTC branch, unseen voices and sentences.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import jiwer
import numpy as np
import torch
from tqdm import tqdm

from helpers import corpus
from helpers.errors import BookError, one_sentence
from helpers.mini import Built
from helpers.paths import RESULTS

BATCH = 24
LONGEST_ANSWER_TOKENS = 96


@dataclass(frozen=True)
class Hypothesis:
    """What the model heard in one utterance; a branch that was not asked for is None."""

    key: str
    reference: str
    llm: str | None = None
    ctc: str | None = None


@dataclass(frozen=True)
class ErrorRate:
    """An error rate with its bootstrap interval, as shares (0.1 is 10 %)."""

    rate: float
    low: float
    high: float
    errors: int
    units: int
    utterances: int

    def __str__(self) -> str:
        return f"{self.rate:.1%} [{self.low:.1%}, {self.high:.1%}]"


def decode(built: Built, items: Sequence[dict], branch: str = "llm",
           progress: str | None = None, seed: int = 0) -> list[Hypothesis]:
    """Transcribe manifest items greedily.

    Args:
        built: a model from `helpers.mini.build`.
        items: manifest lines whose audio paths exist (see `helpers.corpus.load_set`).
        branch: "llm" for FunASR's batched LLM decoding, "ctc" for the CTC branch's best path,
            "both" for FunASR's one-by-one inference, which returns both at once.
        progress: text of a progress bar; none is shown without it.
        seed: seed of the frontend's dither, which would otherwise change a word now and then.
            The caller's random state is given back.

    Raises:
        BookError: an unknown branch, or a CTC branch that the model does not have.
    """
    decoders = {"llm": _decode_llm, "ctc": _decode_ctc, "both": _decode_both}
    if branch not in decoders:
        raise BookError(f"There is no branch `{branch}`: choose llm, ctc or both.")
    if branch != "llm" and built.model.ctc_decoder is None:
        raise BookError("This model has no CTC branch: FunASR removes it when the checkpoint "
                        "does not hold its weights. Decode with branch='llm'.")
    bar = tqdm(total=len(items), desc=progress, disable=None if progress else True)
    found: dict[int, Hypothesis] = {}
    by_length = sorted(range(len(items)), key=lambda i: items[i]["speech_length"])
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _inference_state(built.model), bar:
        torch.manual_seed(seed)
        for start in range(0, len(items), BATCH):
            chosen = by_length[start:start + BATCH]
            heard = decoders[branch](built, [items[i] for i in chosen])
            found.update(zip(chosen, heard, strict=True))
            bar.update(len(chosen))
    return [found[i] for i in range(len(items))]


def inference(built: Built, items: Sequence[dict], seed: int = 0, **arguments) -> list[dict]:
    """What `FunASRNano.inference` returns for utterances handed to it in one call.

    Args:
        built: a model from `helpers.mini.build`.
        items: manifest lines.
        seed: seed of the frontend's dither. The caller's random state is given back.
        arguments: further arguments, such as `hotwords`.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _inference_state(built.model):
        torch.manual_seed(seed)
        results, _ = built.model.inference(
            [corpus.audio_path(item) for item in items], key=[item["key"] for item in items],
            tokenizer=built.tokenizer, frontend=built.frontend,
            **_inference_arguments(built) | arguments)
    return results


def error_rate(references: Sequence[str], hypotheses: Sequence[str], unit: str = "word",
               resamples: int = 1000, seed: int = 0) -> ErrorRate:
    """Word (or character) error rate over a set, with a 95 % bootstrap interval.

    Utterances are resampled with replacement; the rate is total errors over total reference
    units each time, so long utterances weigh more, as in the plain rate.

    Raises:
        BookError: no utterances, lists of different lengths, or an empty reference.
    """
    if not references or len(references) != len(hypotheses):
        raise BookError(f"{len(references)} references and {len(hypotheses)} hypotheses: give "
                        "the same number of both, and at least one.")
    if not all(reference.strip() for reference in references):
        raise BookError("A reference is empty: remove that utterance before scoring.")
    return rate_of_counts(*error_counts(references, hypotheses, unit), resamples, seed)


def error_counts(references: Sequence[str], hypotheses: Sequence[str],
                 unit: str = "word") -> tuple[np.ndarray, np.ndarray]:
    """Errors and reference units of each utterance: two integer arrays of shape (utterances,)."""
    measure = {"word": jiwer.process_words, "character": jiwer.process_characters}[unit]
    errors, units = [], []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        counts = measure(reference, hypothesis)
        errors.append(counts.substitutions + counts.deletions + counts.insertions)
        units.append(counts.hits + counts.substitutions + counts.deletions)
    return np.array(errors), np.array(units)


def rate_of_counts(errors: np.ndarray, units: np.ndarray, resamples: int = 1000,
                   seed: int = 0) -> ErrorRate:
    """The rate and interval of `error_rate`, from counts that were kept."""
    picks = np.random.default_rng(seed).integers(0, len(errors), (resamples, len(errors)))
    rates = errors[picks].sum(1) / units[picks].sum(1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return ErrorRate(float(errors.sum() / units.sum()), float(low), float(high),
                     int(errors.sum()), int(units.sum()), len(errors))


class Difference(NamedTuple):
    """A difference of two error rates, as a share, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def direction(self) -> int:
        """1 or -1 if the interval leaves zero out, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def difference(errors: np.ndarray, other: np.ndarray, words: np.ndarray, resamples: int = 2000,
               seed: int = 0) -> Difference:
    """How much higher one error rate is than another on the same sentences.

    Sentences are resampled, each with both its results, so that what is hard about a sentence
    cancels out.

    Args:
        errors, other: word errors, shape (sentences,), or (seeds, sentences) to be averaged over
            seeds, whose numbers may differ.
        words: reference words of each sentence, shape (sentences,).
    """
    gap = np.atleast_2d(errors).mean(0) - np.atleast_2d(other).mean(0)
    picks = np.random.default_rng(seed).integers(0, len(words), (resamples, len(words)))
    low, high = np.quantile(gap[picks].sum(1) / words[picks].sum(1), [0.025, 0.975])
    return Difference(float(gap.sum() / words.sum()), float(low), float(high))


def score(hypotheses: Sequence[Hypothesis], branch: str = "llm", **options) -> ErrorRate:
    """`error_rate` of one branch of `decode`'s result."""
    texts = [getattr(h, branch) for h in hypotheses]
    if any(text is None for text in texts):
        raise BookError(f"Branch {branch} was not decoded: call decode(..., branch='{branch}').")
    return error_rate([h.reference for h in hypotheses], texts, **options)


@contextmanager
def _inference_state(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, and the LLM's dtype given back afterwards: FunASR's inference casts it."""
    modes = {name: module.training for name, module in model.named_modules()}
    dtype = next(model.llm.parameters()).dtype
    model.eval()
    try:
        yield
    finally:
        model.llm.to(dtype)
        for name, module in model.named_modules():
            module.training = modes[name]


def _inference_arguments(built: Built) -> dict:
    """The config keys that FunASR hands to `inference`, as `AutoModel.generate` does."""
    hidden = ("tokenizer", "frontend", "model", "token_list")
    arguments = {k: v for k, v in built.kwargs.items() if k not in hidden}
    arguments["max_length"] = LONGEST_ANSWER_TOKENS
    arguments["device"] = str(next(built.model.parameters()).device)
    return arguments


def _chat(built: Built, items: Sequence[dict]) -> list:
    prompt = built.model.get_prompt([])
    return [built.model.generate_chatml(prompt, corpus.audio_path(item)) for item in items]


def _decode_llm(built: Built, items: Sequence[dict]) -> list[Hypothesis]:
    if not hasattr(built.model, "_inference_llm_batch"):  # FunASR 1.3.3 and older have no batches
        return _decode_both(built, items)
    results, _ = built.model._inference_llm_batch(
        _chat(built, items), None, [item["key"] for item in items], built.tokenizer,
        built.frontend, **_inference_arguments(built))
    return [_hypothesis(item, llm=result["text"])
            for item, result in zip(items, results, strict=True)]


def _decode_both(built: Built, items: Sequence[dict]) -> list[Hypothesis]:
    found = []
    for item in items:
        results, _ = built.model.inference(
            [corpus.audio_path(item)], key=[item["key"]], tokenizer=built.tokenizer,
            frontend=built.frontend, **_inference_arguments(built))
        found.append(_hypothesis(item, results[0]["text"], results[0].get("ctc_text")))
    return found


def _decode_ctc(built: Built, items: Sequence[dict]) -> list[Hypothesis]:
    from funasr.utils.load_utils import extract_fbank, load_audio_text_image_video

    model, found = built.model, []
    device = next(model.parameters()).device
    for item in items:
        audio = load_audio_text_image_video(corpus.audio_path(item), fs=built.frontend.fs)
        speech, lengths = extract_fbank(audio, data_type="sound", frontend=built.frontend)
        hidden, lengths = model.encode(speech.to(device), lengths.to(device))
        hidden, _ = model.ctc_decoder(hidden, lengths)
        best = torch.unique_consecutive(model.ctc.argmax(hidden)[0])
        text = model.ctc_tokenizer.decode(best[best != model.blank_id].tolist())
        found.append(_hypothesis(item, ctc=text))
    return found


def _hypothesis(item: dict, llm: str | None = None, ctc: str | None = None) -> Hypothesis:
    def tidy(text: str | None) -> str | None:
        return None if text is None else " ".join(text.replace("<|nospeech|>", "").split())

    return Hypothesis(item["key"], corpus.transcript(item), tidy(llm), tidy(ctc))


def mini_table(built: Built, limit: int | None = None, progress: bool = True) -> dict:
    """The mini's error rates on the test set.

    Returns:
        audio kind to branch to ErrorRate. The kinds are `wideband`, `telephone`, and wideband
        once more for the voices of each synthesiser.
    """
    from helpers.telephone import telephone_set

    audio = {"wideband": corpus.load_set("test")[:limit], "telephone": telephone_set("test", limit)}
    heard = {kind: {branch: decode(built, items, branch, f"{kind}, {branch}" if progress else None)
                    for branch in ("llm", "ctc")} for kind, items in audio.items()}
    engine_of = {item["key"]: item["voice"].split(":")[0] for item in audio["wideband"]}
    for engine in sorted(set(engine_of.values())):
        heard[f"wideband, {engine} voices"] = {
            branch: [h for h in hypotheses if engine_of[h.key] == engine]
            for branch, hypotheses in heard["wideband"].items()}
    return {kind: {branch: score(hypotheses, branch) for branch, hypotheses in row.items()}
            for kind, row in heard.items()}


def record(rates: dict[str, dict[str, ErrorRate]]) -> Path:
    """Store the mini's table as `results/mini_wer.json`."""
    from helpers.provenance import provenance

    plain = {kind: {branch: asdict(rate) for branch, rate in row.items()}
             for kind, row in rates.items()}
    made = provenance("python -m helpers.evaluate --record", seed=0)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "mini_wer.json"
    path.write_text(json.dumps({"provenance": made, "rates": plain}, indent=1) + "\n")
    return path


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.evaluate", description=__doc__)
    parser.add_argument("--limit", type=int, help="only the first N test utterances")
    parser.add_argument("--weights", type=Path, help="other weights (safetensors) than the mini's")
    parser.add_argument("--record", action="store_true",
                        help="also write results/mini_wer.json, with where it comes from")
    options = parser.parse_args(arguments)
    from rich.console import Console
    from rich.table import Table

    from helpers import mini
    from helpers.notebook import setup

    setup()
    torch.set_num_threads(1)
    built = mini.build("pretrained")
    if options.weights:
        built.model.load_state_dict(mini.read_weights(options.weights))
    rates = mini_table(built, options.limit)
    table = Table("audio", "LLM: WER [95 % interval]", "CTC: WER [95 % interval]", "utterances")
    for kind, row in rates.items():
        table.add_row(kind, str(row["llm"]), str(row["ctc"]), str(row["llm"].utterances))
    Console().print(table)
    if options.record:
        record(rates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
