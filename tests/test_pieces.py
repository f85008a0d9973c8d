"""Characters that several tokens spell, in a vocabulary of single bytes: nobody sees half a character."""

import pytest

from models.pieces import BROKEN, spelled

tokenizers = pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def bytewise():
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    made = tokenizers.Tokenizer(tokenizers.models.BPE({one: at for at, one in enumerate(sorted(alphabet))}, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return made


@pytest.mark.parametrize(
    "text", ["a dog", "Hündchen springt über 🐶🐱!", "日本", "e\u0301 \U0001f468\u200d\U0001f469", ""]
)
def test_every_character_is_whole_and_none_is_lost(bytewise, text):
    ids = bytewise.encode(text).ids
    pieces = spelled(bytewise, ids)
    assert len(pieces) == len(ids) == len(text.encode()) and "".join(pieces) == text
    assert [len(one) for one in pieces if one] == [1] * len(text)


def test_bytes_that_are_no_character_cost_their_neighbours_nothing(bytewise):
    ids = bytewise.encode("🐶").ids[:2] + bytewise.encode("a cat").ids
    pieces = spelled(bytewise, ids)
    assert len(pieces) == len(ids) and "".join(pieces).strip(BROKEN) == "a cat"
    assert spelled(bytewise, bytewise.encode("é").ids[:1]) == [BROKEN]  # an answer that broke off
    assert "".join(spelled(bytewise, bytewise.encode("a\ufffdb").ids)) == "a\ufffdb"
