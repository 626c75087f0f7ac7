"""Another library's error in one sentence that reads the same on every machine."""

import subprocess
import sys

import pytest

from helpers.errors import first_sentence, typed_sentence


@pytest.mark.parametrize(("error", "expected"), [
    (ValueError("no such layer: x."), "no such layer: x"),
    (KeyError("input_ids"), "input_ids"),
    (AttributeError("'NoneType' object has no attribute 'init'"),
     "'NoneType' object has no attribute 'init'"),
    (RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."), "CUDA out of memory"),
    (RuntimeError("a tensor needs\nmore than one line"), "a tensor needs"),
    (AssertionError(), "AssertionError"), (OSError("\n \n"), "OSError"),
    (OSError("no file /home/ann/my models/model.pt"), "no file my models/model.pt"),
    (OSError("no file '/srv/a/model.pt' in /srv/a"), "no file 'model.pt' in a"),
    (OSError("no page at https://example.org/a/b, 3 km/h"),
     "no page at https://example.org/a/b, 3 km/h")])
def test_the_first_sentence_without_folders(error: Exception, expected: str) -> None:
    assert first_sentence(error) == expected


def test_a_folder_with_a_name_of_its_own_goes_by_it() -> None:
    error = OSError("no file /home/ann/models/nano/model.pt")
    assert first_sentence(error, {"/home/ann/models/nano": "MODEL_DIR"}) == (
        "no file MODEL_DIR/model.pt")


def test_the_type_is_said_once() -> None:
    assert typed_sentence(ValueError("too short")) == "ValueError: too short"
    assert typed_sentence(AssertionError()) == "AssertionError"


@pytest.mark.slow
def test_a_command_whose_reader_has_seen_enough_ends_in_silence() -> None:
    """`python -m helpers.experiments | head` is what a reader types."""
    code = ("from helpers.errors import one_sentence\n"
            "@one_sentence\n"
            "def main():\n"
            "    for number in range(100_000):\n"
            "        print(number)\n"
            "    return 0\n"
            "raise SystemExit(main())\n")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
