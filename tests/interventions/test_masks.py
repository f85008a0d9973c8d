"""Look, listen, cut and exit against numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models.asks import BLOCK, Steered
from models.interventions import Cut, Exit, Listen, Look
from models.interventions import cut as cuts
from models.interventions import exit as exits
from models.omni import McGurkError
from tests.interventions.by_hand import ByHand, token_map

ROW = [math.log(0.2), math.log(0.5), math.log(0.3)]


def close(found, expected):
    torch.testing.assert_close(torch.as_tensor(found), torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_a_factor_multiplies_a_share_before_it_is_shared_out():
    reader = ByHand("bvq")
    asks = Look(picture=4.0).plan(reader).asks
    weights = reader.weights(asks, [[0.0] * 3, [0.0] * 3, [math.log(0.4), math.log(0.2), math.log(0.4)]])
    assert weights[2, 1] == pytest.approx(0.5)  # g s / (g s + 1 - s), g 4, s 0.2
    close(reader.recorded[0], weights[2].tolist())


def test_looking_less_is_not_listening_less():
    reader, values, scores = ByHand("tv"), [[1.0], [3.0]], [[0.0, 0.0], [0.0, 0.0]]
    plain = reader.outputs(None, scores, values)
    assert plain[1] == pytest.approx(2.0)
    for gain, said in ((0.5, 1.25), (0.0, 0.5)):
        assert reader.outputs(Listen("picture", gain).plan(reader).asks, scores, values)[1] == pytest.approx(said)
    # a position always looks at itself, so the factor on the attention is seen in a row behind the picture
    reader = ByHand("tvq")
    behind = reader.weights(Look(picture=0.5).plan(reader).asks, [[0.0] * 3] * 3)
    assert behind[2, 1] / behind[2, 0] == pytest.approx(0.5)
    # weights 2/3 and 1/3 of a text that says 1 and a picture that says 3
    reader = ByHand("tv")
    asks = Look(picture=0.5).plan(reader).asks
    weights = reader.weights(asks, [[0.0, 0.0]] * 2)
    assert weights[1].tolist() == [0.5, 0.5]  # its own column is left alone
    longer = reader.weights(asks, [[0.0, 0.0, -1e9]])  # a row of the answer
    assert float(longer[0, :2] @ torch.tensor([1.0, 3.0])) == pytest.approx(5 / 3, abs=1e-4)


def test_one_head_listens_less_and_the_others_as_before():
    reader = ByHand("tv", heads=3)
    read = reader.outputs(Listen("picture", 0.0, heads=(1,)).plan(reader).asks, [[0.0, 0.0]] * 2, [[1.0], [3.0]])
    close(read[1, :, 0], [2.0, 0.5, 2.0])
    with pytest.raises(McGurkError, match="no head 3"):
        Listen("picture", 0.0, heads=(3,)).plan(reader)


def test_a_cut_key_gives_its_weight_to_the_others():
    reader = ByHand("bvq")
    weights = reader.weights(Cut("picture", "question").plan(reader).asks, [[0.0] * 3] * 3)
    # rows: bos, picture, question; the question can't see the picture
    close(weights, [[1, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5]])
    reader = ByHand("bqv")
    close(reader.weights(Cut("question", "last").plan(reader).asks, [[0.0] * 3] * 3)[2], [0.5, 0, 0.5])
    with pytest.raises(McGurkError, match="stands before"):
        Cut("picture", "question").plan(reader)


def test_template_tokens_are_cut_off_with_what_they_go_with_and_carry_nothing_past_it():
    """tokens: bos, mark, picture, marks, sound, mark, text, question, marks, the last position a mark as well."""
    reader = ByHand("btvttatcqttt")
    same = [[0.0] * 12] * 12
    for target, rows in (("sound", [3, 4, 5]), ("text", [6, 7]), ("question", [8, 9, 10]), ("last", [11])):
        plan = Cut("picture", target).plan(reader)
        seen = reader.weights(plan.asks, same)[:, 2]
        assert np.flatnonzero(seen.numpy() == 0).tolist() == sorted({0, 1, *rows})  # the first two stand before it
        told = {"sound": "2 tokens", "text": "1 token", "question": "2 tokens"}.get(target)
        assert plan.notes == () if told is None else plan.notes[0].startswith(told)
    for gone in ("sound", "question"):  # what nobody could look at anyway is no cut
        with pytest.raises(McGurkError, match="stands before"):
            Cut("text", gone).plan(ByHand("bvatqtct"))


def test_a_cut_from_the_last_position_goes_on_in_the_answer():
    reader = ByHand("bvq")
    answer = reader.weights(Cut("picture", "last").plan(reader).asks, [[0.0] * 5] * 2)
    close(answer, [[1 / 3, 0, 1 / 3, 1 / 3, 0], [1 / 4, 0, 1 / 4, 1 / 4, 1 / 4]])


def test_windows_run_over_the_layers_and_are_cut_at_the_ends():
    def layers(count, span):
        return [list(range(*one.layers)) for one in cuts.along(Cut("picture", "last"), count, span)]

    assert layers(4, 3) == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3]]
    assert layers(4, 2)[2] == [1, 2]
    assert len(cuts.along(Cut("picture", "last"), 30)) == 30 and layers(30, 9)[15] == list(range(11, 20))


def test_an_exit_is_a_deletion_above_a_layer():
    reader = ByHand("bvt", layers=3)
    plan = Exit("picture", 0).plan(reader)
    close(reader.weights(plan.asks, [ROW] * 3, layer=0)[2], [0.2, 0.5, 0.3])
    close(reader.weights(plan.asks, [ROW] * 3, layer=1)[2], [0.4, 0.0, 0.6])
    assert plan.layers == (1, 2) and plan.asks.first == 2  # its own row is seen by nobody
    assert [one.after for one in exits.along("picture", 3)] == [-1, 0, 1, 2]
    assert not Exit("picture").plan.__self__ and Exit("picture", -1).silenced() == {"picture"}
    with pytest.raises(McGurkError, match="no layer 3"):
        Exit("picture", 3).plan(reader)


def test_regions_are_found_by_where_and_when_they_are():
    tokens = token_map("bvvaaqqq")
    tokens.video[[1, 2]] = [[0, 0, 0], [0, 1, 2]]
    tokens.audio[[3, 4]] = [[0.0, 0.48], [0.48, 0.96]]
    object.__setattr__(tokens, "pieces", ("<s>", "", "", "", "", "What", " do", " I"))
    assert cuts.patch(tokens, 1, 2) == (2,) and cuts.stretch(tokens, 0.1, 0.4) == (3,)
    assert cuts.stretch(tokens, 0.4, 0.5) == (3, 4) and cuts.words(tokens, "at do") == (5, 6)
    for wrong in (
        lambda: cuts.patch(tokens, 5, 5),
        lambda: cuts.stretch(tokens, 2, 3),
        lambda: cuts.words(tokens, "x"),
    ):
        with pytest.raises(McGurkError, match="choose what is there"):
            wrong()
    assert np.isnan(tokens.audio[0]).all()


def test_words_are_found_whatever_their_letters_and_as_whole_words_first():
    tokens = token_map("cccccccq")
    pieces = (" İ", "STA", " Kätz", "chen", " 🎸", "", " Katz", "e?")
    object.__setattr__(tokens, "pieces", pieces)
    assert cuts.words(tokens, "kätzchen") == cuts.words(tokens, "KÄTZCHEN") == (2, 3)
    assert cuts.words(tokens, "🎸") == (4, 5)  # all tokens of an emoji
    assert cuts.words(tokens, "katze") == (6, 7) and cuts.words(tokens, "tz") == (2, 6)
    object.__setattr__(tokens, "pieces", ("cat", "ego", "ry", " a", " cat", " con", "cat", "?"))
    assert cuts.words(tokens, "cat") == (4,) and cuts.words(tokens, "ate") == (0, 1)
    for blank in ("", " ", "\n"):
        with pytest.raises(McGurkError, match="are not in the prompt"):
            cuts.words(tokens, blank)


class Large(TorchDispatchMode):
    """The types of all memory of at least so many bytes that is taken inside."""

    def __init__(self, bytes: int):
        super().__init__()
        self.bytes, self.taken = bytes, {}

    def __torch_dispatch__(self, function, types, given=(), named=None):
        made = function(*given, **(named or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor) and one.untyped_storage().nbytes() >= self.bytes:
                self.taken[one.untyped_storage().data_ptr()] = one  # kept, so that no other takes its place
        return made


@pytest.mark.parametrize("how", (Look(picture=4.0), Cut("picture", "question"), Exit("picture", 2)), ids=str)
def test_a_bias_in_every_layer_takes_one_mask_in_the_models_type(how):
    """In float32, or once a layer, it would take gigabytes: it is as large as prompt x prompt."""
    length = 8 * BLOCK
    reader = ByHand("b" + "v" * (length // 2) + "q" * (length // 2 - 1), layers=6)
    steered, query = Steered([how.plan(reader).asks]), torch.zeros(1, 2, length, 4, dtype=torch.bfloat16)
    with Large(length * length) as large:
        masks = [steered.mask(layer, None, query, length) for layer in range(6)]
    made = {id(mask): mask.dtype for mask in masks if mask is not None}
    assert [*made.values()] == [torch.bfloat16] == [one.dtype for one in large.taken.values()]
    assert masks[-1][0, 0, :, 1].isfinite().all() and masks[-1].shape == (1, 1, length, length)
