"""Which tensors of the checkpoint a launch starts training with.

    python -m helpers.model.arrivals --config-path DIR --config-name NAME OVERRIDES

takes the arguments of `funasr/bin/train_ds.py`, lets FunASR build the model and load the checkpoint
from the folder where it is run, and trains nothing. The exit code is 0 if all of the checkpoint
arrives, 1 if some of it does not, 2 if the command cannot be understood.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from funasr_preflight.commands import Parser
from funasr_preflight.laws.names import COMPONENTS
from helpers.errors import BookError
from helpers.model.launch import MERGED, MODEL_DIRECTORY, WITH_CHECKPOINT, Attempt, launch
from helpers.session import setup

VOCABULARY = (f"++dataset_conf.ctc_tokenizer_conf.vocab_path={MODEL_DIRECTORY}/"
              "multilingual.tiktoken")
EVERY_PATH = (f"++llm_conf.init_param_path={MODEL_DIRECTORY}/Qwen3-0.6B",
              f"++tokenizer_conf.init_param_path={MODEL_DIRECTORY}/Qwen3-0.6B", VOCABULARY)
"""What the model directory fills in, unless the config has a value of its own there."""
MERGED_WITH_PATHS = (*MERGED[:2], *EVERY_PATH)
EVERYTHING_NAMED = (*MERGED_WITH_PATHS, WITH_CHECKPOINT)
"""The launch that leaves nothing to whichever file or hub wins."""
HUGGING_FACE = "++hub=hf"


@dataclass(frozen=True)
class Way:
    """A way of launching.

    Attributes:
        title: what it is called in a table.
        overrides: the command line's, with MODEL_DIR for the model directory's path.
        inside_model_directory: whether the command is run there.
    """

    title: str
    overrides: tuple[str, ...]
    inside_model_directory: bool = False

    def launch(self, config: str | Path) -> Attempt:
        """Launch a config in this way."""
        return launch(config, self.overrides, self.inside_model_directory)


WAYS = (
    Way("alone, `init_param` named, as in the public script", (WITH_CHECKPOINT,), True),
    Way("alone, `vocab_path` named too", (VOCABULARY, WITH_CHECKPOINT), True),
    Way("merged, by three overrides", MERGED),
    Way("the same, `++hub=hf`", (*MERGED, HUGGING_FACE)),
    Way("merged, three paths named", MERGED_WITH_PATHS),
    Way("merged, three paths and `init_param` named", EVERYTHING_NAMED),
    Way("the same, `++hub=hf`", (*EVERYTHING_NAMED, HUGGING_FACE)),
)


def arrives_whole(attempt: Attempt) -> bool:
    """Whether every tensor of a checkpoint arrives."""
    tensors = attempt.tensors
    return bool(tensors and tensors.loaded and len(tensors.loaded) == tensors.offered)


def in_short(attempt: Attempt, offered: int) -> str:
    """How many of `offered` tensors arrive, or what went wrong."""
    if not attempt.built:
        return attempt.outcome
    return f"{attempt.tensors.count(loaded=True):,} of {offered:,}"


def report(attempt: Attempt) -> Iterator[str]:
    """What a launch starts with, line by line."""
    base = "the model directory's config" if attempt.merged else "nothing: the YAML stands alone"
    yield f"merged over {base}"
    if not attempt.built:
        yield f"does not launch: {attempt.outcome} ({attempt.place})"
        return
    tensors = attempt.tensors
    yield f"encoder blocks: {attempt.layers['encoder blocks']} + " \
          f"{attempt.layers['encoder tp blocks']}"
    if tensors.loaded is None:
        yield f"no checkpoint was read: {tensors.count():,} tensors start from random numbers"
        return
    yield f"tensors of the checkpoint that arrive: {in_short(attempt, tensors.offered)}"
    random = {part: tensors.count(part) - tensors.count(part, loaded=True) for part in COMPONENTS}
    by_component = ", ".join(f"{part} {number}" for part, number in random.items() if number)
    yield f"tensors that start from random numbers: {sum(random.values()):,}" + (
        f" ({by_component})" if by_component else "")
    if attempt.ctc_switched_off:
        yield "FunASR switches the CTC branch off, because not all of it was loaded"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: see the module's docstring. Returns the exit code."""
    parser = Parser(
        prog="python -m helpers.model.arrivals", description=__doc__.partition("\n")[0],
        epilog=f"{MODEL_DIRECTORY} in an override stands for a directory like the released one, "
               "with the names and shapes of its tensors.")
    parser.add_argument("--config-path", type=Path, default=Path(), help="folder of the YAML")
    parser.add_argument("--config-name", required=True, help="the YAML, with or without its ending")
    parser.add_argument("overrides", nargs="*", help="as on FunASR's command line")
    chosen = parser.parse_args(arguments)
    setup()
    name = f"{chosen.config_name.removesuffix('.yaml')}.yaml"
    try:
        attempt = launch((chosen.config_path / name).resolve(), chosen.overrides, folder=Path.cwd())
    except BookError as error:
        print(error, file=sys.stderr)
        return 2
    print(*report(attempt), sep="\n")
    return 0 if arrives_whole(attempt) else 1


if __name__ == "__main__":
    sys.exit(main())
