"""How fast a manifest is read, beside FunASR's own index class, in one run.

`python -m helpers.audit.benchmark` draws a manifest, reads it with the class that the configs
name in `dataset_conf.index_ds`, with the report of lengths, filters and batches, and with the
validation of every line, turn about and each time in a process of its own, and writes
`results/preflight_benchmark.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from tqdm import tqdm

from funasr_preflight.laws.geometry import FEATURE_FRAMES_A_SECOND
from helpers.errors import BookError, one_sentence
from helpers.experiments.provenance import provenance
from helpers.experiments.records import write_record
from helpers.paths import ROOT
from helpers.session import setup
from helpers.speech.manifests import chatml
from helpers.speech.turns import drawn_seconds

COMMAND = "python -m helpers.audit.benchmark"
RESULTS = ROOT / "results/preflight_benchmark.json"
CONFIG, OVER = "config_8k_telephone", "pretrained"
SEED = 0
LINES, MANY_LINES = 1_000_000, 10_000_000
ROUNDS = 3
DRAWN = 50_000
READERS = ("funasr_index", "lengths", "validation")
WORDS = ("send the booking to one hundred and seventy cherry road thank you for calling please "
         "hold while somebody looks up your order number again").split()


@dataclass(frozen=True)
class Measured:
    """One reading in a process of its own.

    Attributes:
        reader: one of `READERS`.
        seconds, cpu_seconds: of the reading, without the start of Python and imports.
        peak_mb: largest resident memory of the process, in MB of 10^6 bytes.
        import_mb: the same before the reading began.
        kept: utterances that the index or the filters kept.
    """

    reader: str
    lines: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    import_mb: float
    kept: int


def draw(path: Path, lines: int) -> Path:
    """Write a manifest of made-up telephone turns, each with a key and an audio of its own."""
    rng = np.random.default_rng(SEED)
    seconds = drawn_seconds(rng, DRAWN, limits=(0.3, 60), median=np.exp(1.0), spread=0.7)
    counts = np.maximum(1, (2.5 * seconds * rng.lognormal(0, 0.2, DRAWN)).astype(int))
    texts = [" ".join(rng.choice(WORDS, count)) for count in counts]
    marks = "\0key\0", "\0audio\0"
    pieces = []
    for text, length, count in zip(texts, seconds, counts, strict=True):
        item = chatml(*marks, text, int(FEATURE_FRAMES_A_SECOND * length), int(1.2 * count) + 1)
        whole = json.dumps(item, ensure_ascii=False)
        begin, rest = whole.split("\\u0000key\\u0000")
        middle, end = rest.split("\\u0000audio\\u0000")
        pieces.append((begin, middle, end))
    with path.open("w", encoding="utf-8") as file, tqdm(
            total=lines, desc=f"drawing {path.name}", disable=None, unit="lines") as bar:
        for first in range(0, lines, DRAWN):
            several = min(DRAWN, lines - first)
            file.writelines(
                f"{begin}call_{number:08d}{middle}wav/{number // 1000:05d}/call_{number:08d}.wav"
                f"{end}\n" for number, (begin, middle, end) in enumerate(pieces[:several], first))
            bar.update(several)
    return path


def read_here(reader: str, path: Path) -> dict[str, float]:
    """Read a manifest in this process: the fields of `Measured`."""
    if reader == "funasr_index":
        import funasr.datasets.fun_asr_datasets.datasets  # noqa: F401
        from funasr.register import tables

        from helpers.training.batches import dataset_conf

        conf = dataset_conf(CONFIG, over=OVER)
        index = tables.index_ds_classes.get(conf["index_ds"])

        def read() -> int:
            return len(index(str(path), **conf))
    else:
        from funasr_preflight.manifest.scanning import FilterConf, scan

        conf = FilterConf(**json.loads(os.environ["PREFLIGHT_BENCHMARK_CONF"]))

        def read() -> int:
            report = scan(path, conf, full=reader == "validation")
            over = report.lost.get("over_token_length", (0, 0.0))[0]
            return report.kept_utterances + over
    before = _peak_mb()
    started, busy = time.perf_counter(), time.process_time()
    kept = read()
    return {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - busy,
            "peak_mb": _peak_mb(), "import_mb": before, "kept": kept}


def measure(reader: str, path: Path, lines: int, conf: dict) -> Measured:
    """Read a manifest in a process of its own."""
    environment = {**os.environ, "PREFLIGHT_BENCHMARK_CONF": json.dumps(conf)}
    run = subprocess.run([sys.executable, "-m", "helpers.audit.benchmark", "--read", reader,
                          str(path)], env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BookError(f"Reading with {reader} ended with code {run.returncode}: "
                        f"{run.stderr.strip().splitlines()[-1:]}.")
    return Measured(reader, lines, **json.loads(run.stdout.splitlines()[-1]))


def benchmark(lines: int, many_lines: int, rounds: int, folder: Path) -> dict:
    """Everything that is stored, without where it comes from."""
    from funasr_preflight.manifest.scanning import FilterConf
    from helpers.training.batches import dataset_conf

    conf = asdict(FilterConf.of({"dataset_conf": dataset_conf(CONFIG, over=OVER)}))
    load = os.getloadavg()[0]
    path = draw(folder / "one.jsonl", lines)
    size = path.stat().st_size
    runs = [measure(reader, path, lines, conf)
            for reader in tqdm(rounds * READERS, desc="reading", disable=None)]
    path.unlink()
    path = draw(folder / "many.jsonl", many_lines)
    runs += [measure(reader, path, many_lines, conf)
             for reader in tqdm(READERS[1:], desc=f"reading {many_lines:,} lines", disable=None)]
    kept = {run.kept for run in runs if run.lines == lines}
    if len(kept) != 1:
        raise BookError(f"The readers disagree on how many utterances are kept: {sorted(kept)}.")
    return {"config": CONFIG, "over": OVER, "lines": lines, "megabytes": size / 1e6,
            "many_lines": many_lines, "many_megabytes": path.stat().st_size / 1e6,
            "cores": os.cpu_count(), "processes": 1, "load": [load, os.getloadavg()[0]],
            "summary": summary(runs, lines, many_lines), "runs": [asdict(run) for run in runs]}


def summary(runs: list[Measured], lines: int, many_lines: int) -> dict:
    """Medians by reader, and how they compare with FunASR's index of the same round."""
    def of(reader: str, count: int) -> list[Measured]:
        return [run for run in runs if (run.reader, run.lines) == (reader, count)]

    by_reader = {}
    for reader in READERS:
        several = of(reader, lines)
        rounds = [*zip(of("funasr_index", lines), several, strict=True)]
        by_reader[reader] = {
            "seconds": median(run.seconds for run in several),
            "cpu_seconds": median(run.cpu_seconds for run in several),
            "peak_mb": max(run.peak_mb for run in several),
            "times_faster": median(theirs.seconds / ours.seconds for theirs, ours in rounds),
            "times_faster_cpu": median(theirs.cpu_seconds / ours.cpu_seconds
                                       for theirs, ours in rounds)}
        for run in of(reader, many_lines) if many_lines != lines else ():
            by_reader[reader] |= {
                "many_seconds": run.seconds, "many_peak_mb": run.peak_mb,
                "microseconds_a_line": 1e6 * by_reader[reader]["cpu_seconds"] / lines,
                "many_microseconds_a_line": 1e6 * run.cpu_seconds / many_lines}
    return by_reader


def _peak_mb() -> float:
    """Of this program: `getrusage` would still know the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kibibytes) * 1024 / 1e6


@one_sentence
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--many-lines", type=int, default=MANY_LINES,
                        help="lines of the second manifest, which only this package reads")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", type=Path, help="where the manifests are drawn")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--read", nargs=2, metavar=("READER", "PATH"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.read:
        reader, path = options.read
        print(json.dumps(read_here(reader, Path(path))))
        return 0
    if min(options.lines, options.many_lines, options.rounds) < 1:
        raise BookError("Lines and rounds must be at least 1: give greater numbers.")
    setup()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        record = benchmark(options.lines, options.many_lines, options.rounds, Path(folder))
    record["provenance"] = provenance(COMMAND, seed=SEED)
    write_record(options.out, record)
    for reader, medians in record["summary"].items():
        print(f"{reader}: {medians['seconds']:.2f} s, {medians['peak_mb']:.0f} MB, "
              f"{medians['times_faster']:.1f} times as fast as FunASR's index")
    return 0


if __name__ == "__main__":
    sys.exit(main())
