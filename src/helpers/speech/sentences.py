"""Call-centre sentences: a small grammar that never runs out of new sentences.

Everything is spoken text: lower case, no punctuation, digits written as words, so that a word
error rate needs no normalisation. Sentences of the held-out sets never occur in training.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

from num2words import num2words

DIGITS = "zero one two three four five six seven eight nine".split()
FIRST_NAMES = """
adam alice amber anna arthur ben bruno carla carmen chloe clara daniel david diana elena emma eric
felix frank george grace hannah harry helen hugo irene isaac jacob james jane jason julia karen
kevin laura leo linda lucas maria mark martin megan nadia nathan nora oliver oscar paul peter
rachel robert rosa ruth samuel sarah simon sofia steven teresa thomas tina victor wendy
""".split()
LAST_NAMES = """
adams allen baker bennett brooks campbell carter clark collins cooper davis dixon edwards evans
fisher foster garcia gibson graham green hall harper hill hudson hughes jackson johnson jordan
kelly king lewis marshall martinez mason miller mitchell moore morgan morris murphy nelson
parker perry phillips porter price reed roberts rogers russell scott shaw simpson spencer stone
taylor turner walker ward watson webb west white wilson wood young
""".split()
CITIES = """
austin berlin boston bristol chicago dallas denver dublin geneva houston london madrid manchester
memphis miami milan nashville oakland oxford paris phoenix portland richmond rome seattle sydney
toronto vienna
""".split()
STREETS = """
birch bridge castle cedar cherry church elm forest garden harbour lake market mill orchard park
river station sunset valley victoria
""".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = """
january february march april may june july august september october november december
""".split()
ACCOUNTS = ["savings account", "current account", "credit card", "debit card", "business account",
            "joint account", "home loan", "car insurance", "travel insurance", "mobile contract",
            "broadband contract", "gas bill", "electricity bill", "water bill", "pension"]
THINGS = ["invoice", "refund", "payment", "parcel", "order", "booking", "ticket", "password",
          "contract", "statement", "delivery", "appointment", "address", "phone number",
          "email address", "router", "receipt", "replacement", "password reset", "direct debit"]
PROBLEMS = ["has not arrived", "is wrong", "was charged twice", "is still missing", "does not work",
            "was cancelled", "is too high", "has expired", "was declined", "is blocked",
            "was sent to the wrong address", "is broken", "is late again", "cannot be opened"]
ACTIONS = ["cancel", "change", "check", "confirm", "renew", "update", "close", "pay", "move",
           "track", "return", "stop", "report", "extend", "upgrade"]
TIMES_OF_DAY = ["in the morning", "in the afternoon", "this evening", "at noon", "after lunch",
                "before work"]
COURTESY = ["please", "thank you", "if you can", "as soon as possible", "today", "right now"]


def spoken(number: int) -> str:
    """A whole number as a caller says it, for example 240 -> "two hundred and forty"."""
    return re.sub(r"[-,]", " ", num2words(number)).replace("  ", " ")


def _digits(rng: random.Random, low: int, high: int) -> str:
    return " ".join(rng.choices(DIGITS, k=rng.randint(low, high)))


def _amount(rng: random.Random) -> str:
    unit = rng.choice(["dollars", "pounds", "euros"])
    return f"{spoken(rng.randint(2, 999))} {unit}"


def _date(rng: random.Random) -> str:
    day = num2words(rng.randint(1, 31), to="ordinal").replace("-", " ")
    return f"the {day} of {rng.choice(MONTHS)}"


def _time(rng: random.Random) -> str:
    minute = rng.choice(["", " fifteen", " thirty", " forty five"])
    return f"{spoken(rng.randint(1, 12))}{minute}"


def _address(rng: random.Random) -> str:
    road = rng.choice(["street", "road", "avenue", "lane"])
    return f"{spoken(rng.randint(1, 199))} {rng.choice(STREETS)} {road}"


SLOTS: dict[str, Callable[[random.Random], str]] = {
    "first": lambda r: r.choice(FIRST_NAMES),
    "last": lambda r: r.choice(LAST_NAMES),
    "city": lambda r: r.choice(CITIES),
    "day": lambda r: r.choice(DAYS),
    "account": lambda r: r.choice(ACCOUNTS),
    "thing": lambda r: r.choice(THINGS),
    "problem": lambda r: r.choice(PROBLEMS),
    "action": lambda r: r.choice(ACTIONS),
    "daytime": lambda r: r.choice(TIMES_OF_DAY),
    "courtesy": lambda r: r.choice(COURTESY),
    "digits": lambda r: _digits(r, 3, 8),
    "pin": lambda r: _digits(r, 4, 4),
    "digit": lambda r: r.choice(DIGITS),
    "amount": _amount,
    "date": _date,
    "time": _time,
    "address": _address,
    "number": lambda r: spoken(r.randint(1, 99)),
}

SHORT = ["yes {first}", "no {first}", "hello {first}", "{digit} {digit}", "{day}", "{city}",
         "yes please", "no thanks", "goodbye {first}", "{number}", "{first}", "{last}", "yes {day}",
         "no {city}", "{courtesy}", "{first} {last}", "yes {digit}", "no {digit}"]

MEDIUM = [
    "my name is {first} {last}",
    "this is {first} {last} calling about my {account}",
    "hello my name is {first} and my {thing} {problem}",
    "my {thing} {problem}",
    "the {thing} for my {account} {problem}",
    "i want to {action} my {thing}",
    "i would like to {action} my {account} {courtesy}",
    "can you {action} the {thing} for {first} {last}",
    "could you please {action} my {account}",
    "please {action} my {thing} before {day}",
    "my account number is {digits}",
    "the order number is {digits}",
    "my phone number is {digits}",
    "the code is {pin}",
    "{digits}",
    "the reference is {digits} and the name is {last}",
    "it was {amount} on {date}",
    "i paid {amount} on {day}",
    "please transfer {amount} to {first} {last}",
    "please transfer {amount} from my {account} to my {account}",
    "you charged me {amount} twice on {day}",
    "i was born on {date}",
    "the appointment is on {date} at {time}",
    "can i come on {day} at {time}",
    "call me back on {day} {daytime}",
    "i live at {address} in {city}",
    "my new address is {address}",
    "the parcel went to {address} instead of {address}",
    "i am moving from {city} to {city} on {date}",
    "i need a flight from {city} to {city} on {day}",
    "two tickets to {city} {courtesy}",
    "is that {number} or {number}",
    "no it is {number} not {number}",
    "yes that is right {first}",
    "no that is wrong it is {digits}",
    "can i speak to {first} {last} {courtesy}",
    "i spoke to {first} on {day} {daytime}",
    "{first} {last} told me that the {thing} {problem}",
    "why does my {account} cost {amount}",
    "how much is the {account} for {number} months",
    "the last four digits are {pin}",
    "i have been waiting for {number} minutes",
    "my {thing} from {day} {problem}",
    "send the {thing} to {address} {courtesy}",
    "i want to pay {amount} into my {account}",
    "when will the {thing} arrive in {city}",
]


SHORT_SHARE, LONG_SHARE = 0.08, 0.06
"""Of sentences of about a second or less, and of several in one turn, about ten seconds or more."""


def fill(template: str, rng: random.Random) -> str:
    """Fill every `{slot}` of a template with a random value."""
    return re.sub(r"\{(\w+)\}", lambda match: SLOTS[match[1]](rng), template)


def vocabulary() -> list[str]:
    """Every word that the grammar can say, sorted."""
    rng = random.Random(0)
    words = {word for number in range(1000) for word in spoken(number).split()}
    pools = [DIGITS, FIRST_NAMES, LAST_NAMES, CITIES, STREETS, DAYS, MONTHS, ACCOUNTS, THINGS,
             PROBLEMS, ACTIONS, TIMES_OF_DAY, COURTESY]
    for pool in pools:
        words.update(word for phrase in pool for word in phrase.split())
    for template in SHORT + MEDIUM:
        for _ in range(30):
            words.update(fill(template, rng).split())
    return sorted(words)


def sentences(seed: int, exclude: frozenset[str] = frozenset(),
              shuffled_words: float = 0.0) -> Iterator[str]:
    """Yield new sentences for ever.

    Args:
        exclude: sentences never to yield (those of other sets).
        shuffled_words: share of word lists without grammar. They carry no hint about the next
            word, so a model must listen; used for training only.
    """
    rng = random.Random(seed)
    words = vocabulary()
    while True:
        draw = rng.random()
        if draw < shuffled_words:
            text = " ".join(rng.sample(words, rng.randint(2, 8)))
        elif draw < shuffled_words + SHORT_SHARE:
            text = fill(rng.choice(SHORT), rng)
        elif draw < shuffled_words + SHORT_SHARE + LONG_SHARE:
            text = " ".join(fill(rng.choice(MEDIUM), rng) for _ in range(rng.randint(3, 4)))
        else:
            text = fill(rng.choice(MEDIUM), rng)
        if text not in exclude:
            yield text
