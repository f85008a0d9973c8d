"""Long text: as long as asked, varied, and about nothing that a clip may show."""

import re

from demo import prose
from demo.vocabulary import VOCABULARY, names_in, ways_to_say


def test_no_sentence_names_a_concept():
    for sentence in prose.SENTENCES:
        assert not names_in(sentence), sentence
    said = set(re.findall(r"[a-z]+", " ".join(prose.SENTENCES).lower()))
    generic = {"computer", "keyboard", "machine", "person", "running", "hair", "wash", "mower"}
    parts = {word for name in VOCABULARY for saying in ways_to_say(name) for word in saying.split()} - {"on", "a"}
    assert not said & (parts | generic)


def test_ten_thousand_characters_without_a_repetition():
    text = prose.long_text(10_000)
    assert 9_800 < len(text) <= 10_000
    sentences = re.split(r"(?<=\.) ", text)
    assert len(sentences) == len(set(sentences))


def test_length_and_seed():
    assert len(prose.long_text(30_000)) > 29_800
    assert prose.long_text(1) in prose.SENTENCES
    assert prose.long_text(500, seed=1) == prose.long_text(500, seed=1) != prose.long_text(500, seed=2)
