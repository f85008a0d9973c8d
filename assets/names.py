"""Builds models/everyday.csv: how the names of the encoders, of the data set and of captions are said every day.

    python -m assets.names --concepts ../shared/data/concepts.csv --words ../shared/captions/words.csv

Three sources, the later over the earlier: WordNet 3.0 (Debian's wordnet-base) says what the ImageNet classes are kinds
of, models/mini/audioset_parents.csv what the AudioSet classes are, and assets/names.csv, written by hand, what people
call them, where the others are wrong ("drumstick" is no food here), and the names that neither knows. A field of a row
written by hand replaces; "-" empties it. Needed to build the table, not to run.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterable
from pathlib import Path

from models.everyday import TABLE, normal
from models.mini.encoders import AUDIOSET_CLASSES, IMAGENET_CLASSES
from models.teaching.naming import plain

WORDNET = Path("/usr/share/wordnet/data.noun")
HERE = Path(__file__).parent
PARENTS = HERE.parent / "models" / "mini" / "audioset_parents.csv"

# A word of WordNet above a class -> what people say. Basic: what they would call the thing itself.
AS_THEY_STAND = """
antelope ant ape armor ball basket bear bed bee beetle bell bicycle bird boat boot bottle bowl box bread
bridge bus butterfly cabinet camel camera cap chair church clock coat computer coral crab cricket curtain deer
dinosaur dog door dress drum duck eagle elephant fence finch fish flower fly fox frog glove goat goose
grasshopper gun guitar hat heater heron helmet horse keyboard knife lamp lizard lobster lock mask monkey
motorcycle mountain mug mushroom owl parrot pen penguin piano pig plane printer rabbit rifle roof rug
salamander sandwich sauce saw scarf screen seal shark sheep ship shirt skirt sled snail snake soup spider
squash squirrel stork sweater swimsuit telephone theater tower towel train truck turtle van vase vulture wall
watch weasel whale wheel wine wolf worm lemur
"""
BASIC = {word: word for word in AS_THEY_STAND.split()} | {
    "airplane": "airplane", "automobile": "car", "bird of prey": "bird of prey",
    "bowed stringed instrument": "string instrument",
    "brass instrument": "brass instrument", "chelonian": "turtle", "coffee": "coffee",
    "crocodilian reptile": "crocodile",
    "domestic cat": "cat", "big cat": "big cat", "edible fruit": "fruit", "electric lamp": "lamp", "fungus": "mushroom",
    "great ape": "monkey", "ape": "monkey", "insect": "insect", "locomotive": "train", "necktie": "tie",
    "percussion instrument": "percussion", "plaything": "toy", "pot": "pot", "cooking pan": "pan", "ray": "ray",
    "sailboat": "sailboat", "shop": "shop", "sofa": "couch", "stringed instrument": "string instrument",
    "drinking glass": "glass", "swine": "pig", "toad frog": "frog", "tv": "television", "vegetable": "vegetable",
    "woodwind instrument": "woodwind instrument", "handbasket": "basket", "fabric": "cloth", "sweet": "dessert",
    "frozen dessert": "ice cream", "bovine": "cow", "shirt": "shirt", "footwear": "shoe", "dwelling": "house",
    "personal computer": "computer", "bag": "bag", "jug": "jug", "jar": "jar", "blind": "blind",
}  # fmt: skip
# Broad: a class of things too wide to be the name of one.
BROAD = {
    "animal": "animal", "mammal": "mammal", "reptile": "reptile", "amphibian": "amphibian", "rodent": "rodent",
    "crustacean": "crustacean", "arachnid": "arachnid", "mollusk": "shellfish", "marsupial": "marsupial",
    "primate": "primate", "aquatic bird": "water bird", "seabird": "seabird", "wading bird": "water bird",
    "vehicle": "vehicle", "craft": "vehicle", "musical instrument": "musical instrument",
    "wind instrument": "wind instrument", "tool": "tool", "weapon": "weapon", "furniture": "furniture",
    "clothing": "clothing", "headdress": "headwear", "food": "food", "dish": "food", "foodstuff": "food",
    "beverage": "drink", "machine": "machine", "home appliance": "appliance", "building": "building",
    "container": "container", "electronic equipment": "electronics", "sports equipment": "sports equipment",
    "plant": "plant", "person": "person", "kitchen utensil": "kitchen utensil",
    "cooking utensil": "kitchen utensil", "produce": "food", "timepiece": "timepiece",
    "geological formation": "landscape", "jewelry": "jewelry", "cosmetic": "cosmetics",
    "measuring instrument": "measuring instrument", "game equipment": "game equipment", "canine": "canine",
    "feline": "feline", "public transport": "public transport", "toiletry": "toiletries", "tableware": "tableware",
    "craft vessel": "vehicle",
}  # fmt: skip
# What is said of what stands below an AudioSet class, where that is not its own name.
FAMILIES = {
    "Animal": "animal", "Domestic animals, pets": "pet", "Livestock, farm animals, working animals": "farm animal",
    "Wild animals": "wild animal", "Fowl": "bird", "Canidae, dogs, wolves": "canine",
    "Rodents, rats, mice": "rodent", "Roaring cats (lions, tigers)": "big cat", "Music": "music",
    "Vehicle": "vehicle", "Alarm": "alarm", "Motor vehicle (road)": "vehicle", "Rail transport": "train",
    "Engine": "engine", "Tools": "tool", "Musical instrument": "musical instrument", "Boat, Water vehicle": "boat",
    "Explosion": "explosion", "Noise": "noise", "Wind instrument, woodwind instrument": "woodwind instrument",
    "Plucked string instrument": "string instrument", "Bowed string instrument": "string instrument",
    "Keyboard (musical)": "keyboard", "Mechanisms": "machine", "Wood": "wood", "Liquid": "water", "Glass": "glass",
    "Light engine (high frequency)": "engine",
}  # fmt: skip
TOO_WIDE = {"animal", "pet", "farm animal", "wild animal", "music", "vehicle", "tool", "musical instrument", "machine",
            "noise", "rodent", "canine", "alarm",
            "engine"}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--concepts", type=Path, required=True, help="CSV with a column concept")
    options.add_argument("--words", type=Path, required=True, help="CSV with a column word")
    options = options.parse_args()
    rows = {name: ((), *kinds) for name, kinds in imagenet_kinds().items()}
    for name, kinds in audioset_kinds().items():
        before = rows.get(name, ((), (), ()))
        rows[name] = ((), *(merged(old, new) for old, new in zip(before[1:], kinds, strict=True)))
    named = [row["concept"].replace("_", " ") for row in read(options.concepts)] + [
        row["word"] for row in read(options.words)
    ]
    for name in named:
        rows.setdefault(name, ((), (), ()))
    for row in read(HERE / "names.csv"):
        old = rows.get(row["name"], ((), (), ()))
        rows[row["name"]] = tuple(
            before if not row[field] else () if row[field] == "-" else tuple(row[field].split(";"))
            for field, before in zip(("same", "basic", "broad"), old, strict=True)
        )
    write(completed(rows))


def imagenet_kinds() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Plain name of each ImageNet class -> (basic, broad), the nearest first."""
    lemmas, above = wordnet()
    kinds: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for name, synset in zip(IMAGENET_CLASSES, synsets(lemmas), strict=True):
        words = [word for up in ancestors(synset, above) for word in lemmas[up]] if synset else []
        mine = {normal(plain(name))}
        kinds[plain(name)] = tuple(
            tuple(dict.fromkeys(said[word] for word in words if word in said and said[word] not in mine))
            for said in (BASIC, BROAD)
        )
    return kinds


def wordnet() -> tuple[dict[int, list[str]], dict[int, list[int]]]:
    """Lemmas by synset, and the synsets of which each is a kind (or instance)."""
    lemmas, above = {}, {}
    for line in WORDNET.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue
        fields = line.split(" | ")[0].split()
        synset, count = int(fields[0]), int(fields[3], 16)
        lemmas[synset] = [fields[4 + 2 * i].replace("_", " ").lower() for i in range(count)]
        pointers = fields[5 + 2 * count :]
        above[synset] = [int(pointers[i + 1]) for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("@", "@i")]
    return lemmas, above


def synsets(lemmas: dict[int, list[str]]) -> list[int | None]:
    """The synset of each ImageNet class: the classes stand in the order of WordNet's offsets, so of the senses of
    their names the chain that fits most names, rising all the way, is taken."""
    senses: dict[str, list[int]] = {}
    for synset, names in lemmas.items():
        for name in names:
            senses.setdefault(name, []).append(synset)
    nodes = [
        (i, synset, worth)
        for i, name in enumerate(IMAGENET_CLASSES)
        for spelling, worth in spellings(name)
        for synset in senses.get(spelling, ())
    ]
    best, before = [0.0] * len(nodes), [-1] * len(nodes)
    for at, (i, synset, worth) in enumerate(nodes):
        fits = (k for k in range(at) if nodes[k][0] < i and nodes[k][1] < synset)
        before[at] = max(fits, key=best.__getitem__, default=-1)
        best[at] = worth + (best[before[at]] if before[at] >= 0 else 0)
    found: list[int | None] = [None] * len(IMAGENET_CLASSES)
    at = max(range(len(nodes)), key=best.__getitem__)
    while at >= 0:
        found[nodes[at][0]], at = nodes[at][1], before[at]
    return found


def spellings(name: str) -> Iterable[tuple[str, float]]:
    """How WordNet may spell a class name, and how much a match is worth: its last word alone is worth least."""
    name = name.lower()
    bare = re.sub(r"\(.*?\)", "", name).split()
    yield name, 10
    for spelling in (
        name.replace("grey", "gray"),
        name.replace("-", " "),
        name.replace(" ", ""),
        *re.findall(r"\((.*?)\)", name),
    ):
        yield spelling, 6
    for part in re.split(r" or | / ", " ".join(bare)):
        yield part, 6
    for cut in range(1, len(bare)):
        yield " ".join(bare[:-cut]), 5 - cut
        yield " ".join(bare[cut:]), 5 - cut


def ancestors(synset: int, above: dict[int, list[int]]) -> list[int]:
    """Everything a synset is a kind of, nearest first."""
    found: dict[int, None] = {}
    waiting = [synset]
    while waiting:
        for up in above[waiting.pop(0)]:
            if up not in found:
                found[up] = None
                waiting.append(up)
    return list(found)


def audioset_kinds() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Plain name of each AudioSet class -> (basic, broad), from the classes above it."""
    parents = {row["name"]: row["parents"].split(";") if row["parents"] else [] for row in read(PARENTS)}
    kinds = {}
    for name in AUDIOSET_CLASSES:
        found: dict[str, None] = {}
        waiting = list(parents[name])
        while waiting:
            up = waiting.pop(0)
            found.setdefault(FAMILIES.get(up, plain(up)))
            waiting += parents[up]
        said = [word for word in found if word and word != plain(name)]
        kinds[plain(name)] = (
            tuple(word for word in said if word not in TOO_WIDE),
            tuple(word for word in said if word in TOO_WIDE),
        )
    return kinds


def completed(rows: dict[str, tuple]) -> dict[str, tuple]:
    """Rows that also say what their basic words are kinds of; no word twice, none for itself."""
    done = {}
    for name, (same, basic, broad) in rows.items():
        wide = list(broad)
        for word in basic:
            wide += rows.get(word, ((), (), ()))[2]
        taken = {name, *same}
        basic = tuple(dict.fromkeys(word for word in basic if word not in taken))
        broad = tuple(dict.fromkeys(word for word in wide if word not in taken and word not in basic))
        done[name] = (tuple(dict.fromkeys(word for word in same if word != name)), basic, broad)
    return done


def merged(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def write(rows: dict[str, tuple]) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(("name", "same", "basic", "broad"))
        for name in sorted(rows):
            table.writerow((name, *(";".join(words) for words in rows[name])))


if __name__ == "__main__":
    main()
