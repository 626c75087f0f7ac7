"""Memory of a GPU, from a number or a card's name."""

from __future__ import annotations

import re

from funasr_preflight.errors import BookError
from funasr_preflight.laws.memory import GIBIBYTE
from funasr_preflight.texts import say

MEBIBYTE = 2**20
CARDS = {
    "T4": 15_360, "V100-16": 16_384, "V100-32": 32_768, "2080Ti": 11_264, "3090": 24_576,
    "4090": 24_564, "5090": 32_607, "A10": 23_028, "L4": 23_034, "L20": 46_068, "L40S": 46_068,
    "A6000": 49_140, "A100-40": 40_960, "A100-80": 81_920, "A800-80": 81_920, "H100": 81_559,
    "H800": 81_559, "H20": 97_871, "H200": 143_771}
"""MiB in all, as `nvidia-smi` lists them; what the driver keeps of it is in `OVERHEAD` below."""
_GIBIBYTES = re.compile(r"(\d+(?:\.\d+)?)\s*(?:gi?b?)?", re.IGNORECASE)
_MAKERS = re.compile(r"^(?:nvidia|geforce|rtx|tesla|quadro)[\s_-]*", re.IGNORECASE)
LARGEST_CARD = 1024
"""GiB; a larger number is a slip."""


def gpu_bytes(text: str) -> int:
    """Bytes of memory of the card that is meant.

    Args:
        text: GiB, such as "24" or "24GiB", or a card of `CARDS`, however it is written.

    Raises:
        BookError: it is neither.
    """
    name = text.strip()
    while (shorter := _MAKERS.sub("", name)) != name:
        name = shorter
    plain = _plain(name)
    cards = {card: size for card, size in CARDS.items() if _plain(card) == plain.removesuffix("gb")}
    sizes = [card for card in CARDS if plain and _plain(card).startswith(plain) and "-" in card]
    if cards:
        return next(iter(cards.values())) * MEBIBYTE
    number = _GIBIBYTES.fullmatch(name)
    if number and 0 < float(number[1]) <= LARGEST_CARD:
        return int(float(number[1]) * GIBIBYTE)
    if len(sizes) > 1:
        raise BookError(say("--gpu-memory {given} comes in several sizes: write {names}.",
                            given=text[:30], names=" / ".join(sizes)))
    if len(sizes) == 1:
        return CARDS[sizes[0]] * MEBIBYTE
    raise BookError(say("--gpu-memory {given} is no number of GiB and no card that is known here: "
                        "write the GiB, or one of {names}.", given=text[:30],
                        names=", ".join(CARDS)))


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]|pcie|sxm\d?", "", name.lower())
