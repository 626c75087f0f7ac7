"""What a version's dataset, sampler and frontend do with lines and sound."""

from __future__ import annotations

import inspect

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from helpers.versions import book
from helpers.versions.probe import probe


@probe("Is there a dataset class `FunASR`, which every config names?")
def dataset_class() -> bool:
    from funasr.register import tables

    return "FunASR" in tables.dataset_classes


@probe("Default of `frontend_conf.dither`")
def dither_default() -> float:
    from funasr.frontends.wav_frontend import WavFrontend

    return inspect.signature(WavFrontend.__init__).parameters["dither"].default


@probe("How often an epoch reads each line of a single `.jsonl` with `data_split_num: 4`")
def passes_of_one_jsonl() -> float:
    book.needs_dataset()
    batches = book.module("batches")
    lines = book.module("turns").telephone_manifest(40)
    with batches.loader(book.MAIN, lines, {"data_split_num": 4}) as dataloader:
        return sum(len(dataloader.build_iter(data_split_i=part)[0].dataset)
                   for part in range(dataloader.data_split_num)) / len(lines)


@probe("The longest line that reaches a batch with `max_token_length: 100`, as speech frames plus "
       "text tokens of the manifest")
def longest_line_kept() -> int:
    book.needs_dataset()
    batches, turns = book.module("batches"), book.module("turns")
    lines = [turns.line(f"line{frames}", frames / FEATURE_FRAMES_A_SECOND, 10)
             for frames in range(60, 110)]
    data_pass = batches.reach(book.MAIN, lines, {"max_token_length": 100}, collate=False)
    return max(line["speech_length"] + line["text_length"]
               for line, inside in zip(lines, data_pass.kept["sampler"], strict=True) if inside)
