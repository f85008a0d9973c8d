"""Who is seen and heard in a lesson, by what names, and what else is offered beside them.

Knows labels and captions only; what is asked about them is curriculum.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.everyday import normal, synonyms
from models.teaching.lesson import Catalogue, Thing
from models.teaching.naming import NAMES, PEOPLE, SHUFFLED_NAMES, everyday, is_said, unfair

CLASS_NAMED = 0.3  # share of lessons whose names come from the encoders' class lists
RENAMED = 0.4  # share of lessons with shuffled names in which the answer is another way to say what the top class bears


class Cast:
    """Draws things of a catalogue, always by the generator it is handed.

    everyday: share of the draws in which a thing goes by another name: a synonym, a wider or an everyday word.
    """

    def __init__(self, catalogue: Catalogue, everyday: float):
        self.catalogue, self.everyday = catalogue, everyday
        self.photographs = sorted(catalogue.captioned)
        self.sounding = {concept: shown for concept in catalogue.concepts if (shown := self._showing(concept))}

    def photograph(self, rng) -> Thing:
        """A captioned photograph: asked by any of its names, plainly called by the one most captions have.

        Whom it shows is what it is called only where nothing else is to be seen: "piano", not "girl".
        """
        item = int(rng.choice(self.photographs))
        names, said = self.catalogue.captioned[item]
        name = names[0] if rng.random() < 0.4 else str(rng.choice(names))
        main = next((word for word in names if not word.endswith("ing") and normal(word) not in PEOPLE), names[0])
        return Thing(item, main, name, said=said)

    def sounding_photograph(self, rng) -> tuple[Thing, int]:
        """A captioned photograph under the name of something in it, and a sound of that."""
        concept = str(rng.choice(list(self.sounding)))
        item, word = self.sounding[concept][int(rng.integers(len(self.sounding[concept])))]
        name = everyday(word, rng) if rng.random() < self.everyday else word
        thing = Thing(item, word, name, said=self.catalogue.captioned[item][1])
        return thing, int(rng.choice(self.catalogue.sounds[concept]))

    def beside_photograph(self, rng) -> tuple[Thing, Thing]:
        """A captioned photograph with a sound that nothing in its captions makes."""
        seen = self.photograph(rng)
        while True:
            sound, concept = self.pick(rng, self.catalogue.sounds, None, False)
            heard = self.called(rng, sound, concept, CLASS_NAMED)
            if not any(is_said(name, seen.said) for name in (concept, heard.main, heard.name)):
                return seen, heard

    def pick(self, rng, pool: dict[str, list[int]], concept: str | None, shuffled: bool) -> tuple[int, str]:
        """An item and the concept it belongs to."""
        concept = concept or str(rng.choice(self.catalogue.concepts))
        items = pool[concept]
        if shuffled:
            clear = [i for i in items if i in self.catalogue.clear]
            while not clear:
                concept = str(rng.choice(self.catalogue.concepts))
                clear = [i for i in pool[concept] if i in self.catalogue.clear]
            items = clear
        return int(rng.choice(items)), concept

    def both(self, rng, shuffled, situation) -> tuple[Thing, Thing, str]:
        """A picture, a sound and their situation; things that turn out to be the same agree."""
        picture, concept = self.pick(rng, self.catalogue.pictures, None, shuffled)
        sound, other = self.pick(rng, self.catalogue.sounds, concept if situation == "agree" else None, shuffled)
        if shuffled:
            seen = self.shuffled(rng, picture)
            heard = self.shuffled(rng, sound)
            while situation != "agree" and unfair(seen.name, heard.name):
                heard = self.shuffled(rng, sound)
            return seen, replace(seen, item=sound) if situation == "agree" else heard, situation
        if situation != "agree" and concept == other:
            situation = "agree"
        share = CLASS_NAMED if situation != "agree" else 0.0
        seen = self.called(rng, picture, concept, share)
        if situation == "agree":
            return seen, replace(seen, item=sound), situation
        heard = self.called(rng, sound, other, share)
        if unfair(seen.name, heard.name):  # a horn and a French horn, or both a musical instrument: plain names
            seen, heard = Thing(picture, concept, concept), Thing(sound, other, other)
        return seen, heard, situation

    def called(self, rng, item: int, concept: str, share: float) -> Thing:
        """A labelled item under its concept's name, its class's (in `share` of the lessons) or an everyday one."""
        main = self.catalogue.class_names.get(item, concept) if rng.random() < share else concept
        return Thing(item, main, everyday(main, rng) if rng.random() < self.everyday else main)

    def shuffled(self, rng, item: int) -> Thing:
        """An item whose top class bears a random name, and the answer that name or another way to say it."""
        if rng.random() < RENAMED:
            word = str(rng.choice(NAMES))
            name = everyday(word, rng, widest=0.1)
        else:
            word = name = str(rng.choice(SHUFFLED_NAMES))
        return Thing(item, name, name, word)

    def distractors(self, rng, count: int, shuffled: bool, things: Sequence[Thing], avoid: Sequence[str]) -> list[str]:
        """Names that are true of none of the things and mean nothing of `avoid`."""
        draw = rng.random()
        photographs = not shuffled and self.photographs and draw < 0.35
        if photographs:
            chosen = rng.choice(self.photographs, count + 6)
            names = [str(rng.choice(self.catalogue.captioned[int(i)][0])) for i in chosen]
        else:
            pool = SHUFFLED_NAMES if shuffled else NAMES if draw < 0.65 else self.catalogue.concepts
            wanted = min(len(pool), count + len(avoid) + 6)
            names = [str(n) for n in rng.choice(pool, wanted, replace=False)]
            if not shuffled and rng.random() < 0.5:
                names = [everyday(n, rng) if rng.random() < self.everyday else n for n in names]
        said = frozenset().union(*(thing.said for thing in things))
        fair: list[str] = []
        for name in names:
            taken = [*avoid, *fair]
            if not any(unfair(name, other) for other in taken) and not (said and is_said(name, said)):
                fair.append(name)
        return fair[:count]

    def _showing(self, concept: str) -> list[tuple[int, str]]:
        """The captioned photographs that show what makes a sound, each with the word that says so."""
        meant = set(map(normal, (concept, concept.split()[-1], *synonyms(concept)))) - {"keyboard"}  # of either kind
        named = ((item, name) for item in self.photographs for name in self.catalogue.captioned[item][0])
        return [(item, name) for item, name in named if normal(name) in meant]
