"""Irrelevant prose for training: grammatical, endless, about nothing that is seen or heard.

Knows sentence frames and fillers. Does not know the clip; names that it drops in passing are there to
be ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FRAMES = (
    "The committee met on {day} to review the budget for {year}.",
    "Prices in {place} rose by {n} percent, mostly because of {name}.",
    "Her uncle {person} keeps a small book about {name} on the shelf.",
    "Nobody in {place} could say why the meeting was moved to {day}.",
    "In {year} the town hall of {place} bought {n} new chairs.",
    "{person} wrote {n} letters and forgot to mention the {name}.",
    "A recipe from {place} asks for {n} spoons of flour and some patience.",
    "The report compares {name} with {name2} over {n} pages.",
    "On {day}, {person} read a story called the {name} to the class.",
    "According to {person}, the bridge near {place} was finished in {year}.",
    "The contract says that {n} parts must be delivered before {day}.",
    "They argued about the word {name} until {person} left the room.",
    "Please fill in form {n} and send it to the office in {place}.",
    "There were {n} votes for the proposal and one against it.",
    "{person} prefers tea, while the others in {place} prefer coffee.",
    "The lease ends in {year}, unless {person} signs again on {day}.",
    "A museum in {place} shows a drawing of a {name} and a {name2}.",
    "It takes {n} minutes to walk from the square to the post office.",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PLACES = ("Lisbon", "Graz", "Oslo", "Turin", "Cork", "Ghent", "Porto", "Malmo", "Leeds", "Basel", "Izmir", "Kyoto")
PEOPLE = ("Anna", "Boris", "Chidi", "Dora", "Emil", "Fatima", "Goran", "Hana", "Ivo", "Jun", "Karla", "Luis")


def paragraph(rng: np.random.Generator, words: int, names: Sequence[str]) -> str:
    """Sentences of about `words` words in all."""
    sentences, count = [], 0
    while count < words:
        sentence = str(rng.choice(FRAMES)).format(
            day=rng.choice(DAYS), place=rng.choice(PLACES), person=rng.choice(PEOPLE), year=rng.integers(1900, 2030),
            n=rng.integers(2, 900), name=names[rng.integers(len(names))], name2=names[rng.integers(len(names))],
        )  # fmt: skip
        sentences.append(sentence)
        count += sentence.count(" ") + 1
    return " ".join(sentences)
