"""Names as people say them: number, synonyms, everyday words, wider classes; and the tables they come from."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from models import everyday
from models.everyday import basic, broad, first_mention, means, mentions, normal, synonyms
from models.mini.encoders import AUDIOSET_CLASSES, IMAGENET_CLASSES
from models.teaching.naming import plain

RIGHT = [
    ("Dogs", "dog"), ("a dog", "dog"), ("the drum", "drums"), ("Church_Bells", "church bell"), ("wolves", "wolf"),
    ("puppy", "dog"), ("beagle", "dog"), ("dog", "beagle"), ("Golden Retriever", "dog"), ("a small dog", "dog"),
    ("barking", "dog"), ("dog", "barking"), ("dog barking", "bark"), ("meow", "cat"), ("kittens", "cat"),
    ("cat", "tabby cat"),
    ("cow", "moo"), ("cattle", "cows"), ("canary", "bird"), ("bird", "kite"), ("bird of prey", "bald eagle"),
    ("bird", "yellow bird"),
    ("chirping", "bird"), ("birdsong", "bird singing"), ("horn", "French horn"), ("brass instrument", "trombone"),
    ("fiddle", "violin"), ("upright bass", "double bass"), ("guitar", "acoustic guitar"), ("electric guitar", "guitar"),
    ("car", "race car"), ("plane", "airliner"), ("train", "steam locomotive"),
    ("motorbike", "motorcycle"),
    ("person", "woman"), ("baby crying", "crying baby"), ("infant", "baby"), ("people talking", "speech"),
    ("clapping", "applause"),
    ("frying food", "frying"), ("chopping wood", "chop"), ("tearing paper", "ripping paper"), ("gunfire", "gunshot"),
    ("a woman is playing the guitar", "woman playing guitar"), ("woman plays guitar", "woman playing guitar"),
    ("a man standing on the stage", "man on stage"), ("girls", "two girls"), ("I can hear a dog in the yard.", "dog"),
    ("No, it is a beagle", "dog"), ("sofa", "couch"), ("monkey", "gorilla"), ("hen", "chicken"), ("beagle", "animal"),
    ("violin", "musical instrument"), ("dog barking", "dog"), ("guitar music", "guitar"), ("thunder", "thunderstorm"),
    ("bike", "motorcycle"),
]  # fmt: skip
WRONG = [
    ("animal", "dog"), ("instrument", "violin"), ("musical instrument", "French horn"), ("vehicle", "race car"),
    ("food", "pizza"),
    ("rain", "train"), ("ox", "fox"), ("car", "carousel"), ("ear", "bear"), ("cat", "cattle"),
    ("hen", "then came nothing"),
    ("cat", "dog"), ("meow", "dog"), ("barking", "cat"), ("moo", "horse"), ("beagle", "pomeranian"), ("canary", "kite"),
    ("acoustic guitar", "electric guitar"), ("trumpet", "trombone"), ("cello", "violin"), ("truck", "car"),
    ("boat", "car"),
    ("hot dog", "dog"), ("a hot dog on a plate", "dog"), ("catfish", "cat"), ("sea lion", "lion"),
    ("guinea pig", "pig"),
    ("tiger beetle", "tiger"), ("drumstick", "drum"), ("no dog", "dog"), ("it is not a dog", "dog"),
    ("I don't hear rain", "rain"),
    ("paper", "ripping paper"), ("man playing guitar", "woman playing guitar"), ("guitar", "woman playing guitar"),
    ("woman", "woman playing guitar"), ("baby", "crying baby at home"), ("man", "woman"), ("applause", "laughter"),
    ("river", "rain"),
    ("cat food", "cat"), ("", "dog"), ("dog", ""), ("none of the above", "dog"), ("nothing", "silence in a room"),
    ("music", "piano"), ("water", "dog"), ("fire", "fire engine"), ("church", "bell"), ("bicycle", "motorcycle"),
    ("mouse", "computer"),
    ("car horn", "French horn"), ("police car", "ambulance"), ("goose", "car"), ("wind", "wind instrument"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "label"), RIGHT)
def test_what_names_it_counts(said, label):
    assert means(said, label)


@pytest.mark.parametrize(("said", "label"), WRONG)
def test_what_does_not_name_it_does_not(said, label):
    assert not means(said, label)


def test_further_right_answers_count_as_the_label_does():
    assert not means("paper", "ripping paper") and means("paper", "ripping paper", ("rustling", "paper"))
    assert means("a puppy", "woman", ("dog",)) and not means("animal", "woman", ("dog",))
    assert not means("", "woman", ("",))
    assert means("boat", "vehicle") and means("vehicle", "snowmobile", ("vehicle",))
    assert not means("boat", "snowmobile", ("vehicle",)) and not means("piano", "singing", ("music",))


def test_normal_form():
    assert normal("The_Church Bells") == "church bell"
    assert [normal(word) for word in ("geese", "bus", "buses", "glasses", "ponies", "boxes", "Two girls", "a")] == [
        "goose", "bus", "bus", "glass", "pony", "box", "girl", "a"
    ]  # fmt: skip
    for name in ("dog", "church bell", "grass", "gas", "series", "people"):
        assert normal(name) == normal(normal(name)) == name


def test_words_for_a_name():
    assert "fiddle" in synonyms("violins") and "violin" in synonyms("fiddle") and "violin" not in synonyms("violin")
    assert basic("Beagle") == ("dog",) and "animal" in broad("Beagle")
    assert {"horn", "brass instrument"} <= set(basic("French horn"))
    assert "bird" in basic("kite") and basic("nothing of the kind") == synonyms("nothing of the kind") == ()


def test_mentions_are_whole_words_and_the_longest():
    assert mentions("A dog runs after a hot dog, no cat") == {"dog": 1, "run": 2, "hot dog": 5}
    assert mentions("the trains of thought") == {"train": 1}
    assert mentions("a zorb and a cat", ["zorbs"]) == {"zorb": 1, "cat": 4}
    assert mentions("a cat-like T-shirt") == {"t shirt": 2}


def test_where_something_is_first_named():
    assert first_mention("I see a cello, but I hear rain.", "rain") == 7
    assert first_mention("not a dog but a puppy", "dog") == 5
    assert first_mention("a man who plays guitar", "man playing guitar") == 1
    assert first_mention("a cat", "dog") is None and first_mention("I see a cat", "dog", ("kitten", "cat")) == 3
    assert first_mention("well " * 20_000 + "cello", "cello") == 20_000


def test_every_name_that_may_be_an_answer_is_in_the_table():
    with everyday.TABLE.open(newline="", encoding="utf-8") as opened:
        rows = {row["name"]: row for row in csv.DictReader(opened)}
    assert all(plain(name) in rows for name in (*IMAGENET_CLASSES, *AUDIOSET_CLASSES))
    for row in rows.values():
        fields = [row[field].split(";") for field in ("same", "basic", "broad") if row[field]]
        said = [word for field in fields for word in field]
        assert row["name"] not in said and len(said) == len(set(said)) and all(said), row
    dogs = [plain(name) for name in IMAGENET_CLASSES[151:269]]
    assert all("dog" in rows[name]["basic"].split(";") for name in dogs)


def test_the_parents_of_the_sounds_are_sounds_and_make_no_circle():
    path = Path(everyday.__file__).parent / "mini" / "audioset_parents.csv"
    with path.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["name"] for row in rows] == list(AUDIOSET_CLASSES)
    parents = {row["name"]: [name for name in row["parents"].split(";") if name] for row in rows}
    assert {row["role"] for row in rows} == {"", "background", "speech", "music"}
    for name in parents:
        above, waiting = set(), list(parents[name])
        while waiting:
            up = waiting.pop()
            above.add(up)
            waiting += [further for further in parents[up] if further not in above]
        assert name not in above
    assert parents["Bark"] == ["Dog"] and parents["Hiss"] == ["Cat", "Snake", "Steam"]
