"""The other interventions against the numbers that their papers' formulas give by hand."""

import math

import numpy as np
import pytest
import torch

from models.interventions import closer, inhibit, saliency
from models.interventions.budget import merged
from models.interventions.composite import ACROSS, CLOSED, EVERY, Composite
from models.interventions.counterfactual import INSTEAD, REVERSED, SHUFFLED, UNIFORM, Counterfactual, scattered
from models.interventions.heads import Heads, published, sensitive
from models.interventions.intervention import KNOCKED_OUT
from models.interventions.mutual import Mutual
from models.interventions.reading import Dense
from models.interventions.sinks import ENERGY, FIRST_TOKEN, Sinks, handed
from models.interventions.streams import Stream, Streams, contrasted, described
from models.omni import McGurkError, Stimulus
from tests.interventions.by_hand import ByHand


def close(found, expected, within=1e-5):
    torch.testing.assert_close(torch.as_tensor(found).double(), torch.tensor(expected).double(), atol=within, rtol=0)


def test_patches_that_do_not_talk_read_the_text_before_or_themselves_alone():
    reader = ByHand("bvvt")
    same = [[0.0] * 4] * 4
    strict = ByHand("bvva")
    close(strict.weights(Composite(EVERY, CLOSED).plan(strict).asks, same)[2], [0, 0, 1, 0])
    marked = ByHand("bvtaac")  # nor the text between picture and sound, which has read the picture
    alone = marked.weights(Composite(EVERY, CLOSED).plan(marked).asks, [[0.0] * 6] * 6)
    close(alone[[1, 3, 4]][:, [1, 3, 4]], np.eye(3).tolist())
    close(alone[5], [1 / 6] * 6)
    between = marked.weights(Composite(ACROSS).plan(marked).asks, [[0.0] * 6] * 6)
    close(between[2], [0.5, 0, 0.5, 0, 0, 0])  # it introduces the sound, and would carry the picture over
    close(between[3], [1 / 3, 0, 1 / 3, 1 / 3, 0, 0])
    kept = reader.weights(Composite("picture to picture").plan(reader).asks, same)
    close(kept[2], [0.5, 0, 0.5, 0])
    close(kept[1], [0.5, 0.5, 0, 0])  # as in a causal row
    close(kept[3], [0.25] * 4)
    with pytest.raises(McGurkError, match="Nothing here looks along"):
        Composite("picture to picture").plan(ByHand("bvt"))


def test_media_tokens_read_the_question_ahead_and_nobody_else_does():
    reader = ByHand("bvqt")
    asks = Mutual("picture").plan(reader).asks
    same = reader.weights(asks, [[0.0] * 4] * 4)
    close(same, [[1, 0, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0], [1 / 3, 1 / 3, 1 / 3, 0], [1 / 4] * 4])
    plain = reader.weights(None, [[0.0] * 4] * 4)
    close(plain[1], [0.5, 0.5, 0, 0])
    leaning = reader.weights(asks, [[0.0] * 4, [0.0, 0.0, math.log(2), 0.0], [0.0] * 4, [0.0] * 4])
    close(leaning[1], [0.25, 0.25, 0.5, 0])
    assert torch.equal(same[[0, 2, 3]], plain[[0, 2, 3]])


def test_attention_is_made_even_reversed_or_shuffled_and_its_sum_kept():
    weights, every = torch.tensor([0.5, 0.3, 0.2]), torch.ones(3, dtype=torch.bool)
    order = torch.tensor([2, 0, 1])
    close(scattered(weights, every, REVERSED, order), [0.0, 0.4, 0.6])
    close(scattered(weights, every, UNIFORM, order), [1 / 3] * 3)
    close(scattered(weights, every, SHUFFLED, order), [0.2, 0.5, 0.3])
    early = torch.tensor([True, True, False])  # a causal row that sees two of three
    close(scattered(torch.tensor([0.1, 0.3, 0.0]), early, SHUFFLED, order), [0.1, 0.3, 0.0])
    close(scattered(torch.tensor([0.1, 0.3, 0.0]), early, SHUFFLED, torch.tensor([1, 2, 0])), [0.3, 0.1, 0.0])
    close(scattered(torch.tensor([0.1, 0.3, 0.0]), early, UNIFORM, order), [0.2, 0.2, 0.0])
    close(scattered(torch.tensor([0.25, 0.25]), every[:2], REVERSED, order), [0.25, 0.25])


def test_a_counterfactual_row_keeps_what_it_gives_to_the_picture():
    reader = ByHand("bvvq")
    asks = Counterfactual(INSTEAD, "picture", REVERSED).plan(reader).asks
    row = [math.log(0.4), math.log(0.1), math.log(0.3), math.log(0.2)]
    found = reader.weights(asks, [row] * 4)
    close(found[3], [0.4, 0.4, 0.0, 0.2])
    close(reader.recorded[0], found[3].tolist())


def test_within_one_token_there_is_nowhere_else_to_look():
    with pytest.raises(McGurkError, match="The text is one token"):
        Counterfactual(INSTEAD, "text").plan(ByHand("bvvcq"))


def test_logits_are_pushed_away_and_the_implausible_is_not_written():
    z, one, two = torch.tensor([2.0, 1, 0]), torch.tensor([0.0, 1, 0]), torch.tensor([1.0, 1, 1])
    close(contrasted(z, [one], [0.5]), [3.0, 1.0, 0.0])
    close(contrasted(z, [one, two], [0.5, 0.5]), [3.5, 1.0, -0.5])
    close(contrasted(torch.tensor([2.0, 1.0]), [torch.tensor([1.0, 2.0])], [0.5]), [2.5, 0.5])  # s = 1.5
    close(contrasted(torch.tensor([2.0, 1.0]), [torch.tensor([1.5, 1.5])], [1.0]), [2.5, 0.5])
    for share, left in ((0.1, 3), (0.6, 1)):  # 2 + ln 0.1 = -0.303, 2 + ln 0.6 = 1.489
        streams = Streams([Stream(None, None), Stream(None, None, 0.5)], share)
        likely = streams.likely(streams.combined([z[None], one[None]]))
        assert int((likely > -1e3).sum()) == left


def test_heads_that_need_the_modality_are_those_above_the_median_without_outliers():
    def heads(changes, without):
        """Outputs of width 2 that move by `changes`, from outputs of length `without`."""
        gone = torch.stack([torch.tensor(without), torch.zeros(len(without))], -1)[None]
        return gone + torch.stack([torch.zeros(len(changes)), torch.tensor(changes)], -1)[None], gone

    assert sensitive(*heads([3.0, 0, 1, 2], [1.0] * 4))[0].tolist() == [True, False, False, True]
    # 3 exceeds 1.5 + 1.118; it counts 0 only where the head surges without the modality too
    assert sensitive(*heads([3.0, 0, 1, 2], [9.0, 1, 1, 1]))[0].tolist() == [False, False, True, True]
    assert published(30) == (1, *range(17, 30)) and published(32) == (1, *range(18, 32))


def test_chosen_heads_are_cut_or_turned_up_and_the_others_keep_every_bit():
    reader = ByHand("bvq", heads=3)
    values, scores = [[1.0], [2.0], [3.0]], [[0.0] * 3] * 3
    plain = reader.outputs(None, scores, values)
    for strength in (0.0, 2.0):
        asks = Heads(strength=strength, chosen=((0, 1),)).plan(reader).asks
        found = reader.outputs(asks, scores, values)
        assert torch.equal(found[:, 1], strength * plain[:, 1])
        assert torch.equal(found[:, [0, 2]], plain[:, [0, 2]])
    with pytest.raises(McGurkError, match="no head 3 in layer 0"):
        Heads(strength=0.0, chosen=((0, 3),)).plan(reader)


def test_chosen_heads_are_those_of_the_chosen_layers():
    reader = ByHand("bvq", layers=4, heads=3)
    chosen = ((0, 1), (2, 0), (2, 2))
    plan = Heads(strength=0.0, layers=(1, 3), chosen=chosen).plan(reader)
    assert plan.layers == (2,) and [*plan.asks.outputs] == [2]
    with pytest.raises(McGurkError, match="None of the chosen heads is in layers 1 to 1"):
        Heads(strength=0.0, layers=(1, 2), chosen=chosen).plan(reader)


def test_focus_goes_through_the_words_that_a_word_reads():
    among, towards = np.array([[0.3, 0], [0.5, 0.2]]), np.array([[0.6, 0.1], [0.1, 0.2]])
    scores = inhibit.focus(among, towards)
    np.testing.assert_allclose(scores, [[0.18, 0.03], [0.32, 0.09]])
    closed = ~inhibit.kept(scores, 0.5)
    assert closed.tolist() == [[False, True], [False, True]]  # the second word looked more at what it loses
    reader = ByHand("vvqq")
    words = np.array([False, False, True, True])
    mask = Dense(words, ~words, closed * KNOCKED_OUT)
    row = torch.tensor([math.log(w) for w in (0.1, 0.2, 0.5, 0.2)]) + mask.bias(3, 4, 4)[0]
    close(row.softmax(-1), [0.125, 0.0, 0.625, 0.25])
    assert torch.equal(mask.bias(7, 8, 9)[0, :2], mask.bias(3, 4, 4)[0, :2]) and not mask.touches(0, 2)
    assert len(reader.tokens) == 4


def test_a_sinks_weight_goes_to_the_rest_of_the_modality_in_proportion():
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1])
    sinks, picture = torch.tensor([True, True, False, False]), torch.tensor([False, True, True, True])
    close(handed(weights, sinks, picture, 0.6, 0.2, 0.5), [0.24, 0.18, 0.386667, 0.193333])
    assert torch.equal(handed(weights, sinks, picture, 0.6, 0.7, 0.5), weights)  # too little on the picture
    assert torch.equal(handed(weights, sinks, picture, 0.6, 0.2, 0.4), weights)  # too much of it on its sink
    assert math.sqrt(ENERGY * 576) == pytest.approx(7.5) and math.sqrt(ENERGY * 3584) == pytest.approx(18.7, abs=0.01)


def test_the_first_token_alone_gives_where_that_is_asked_for():
    reader = ByHand("bvq", layers=4)
    asks = Sinks("picture", 0.5, FIRST_TOKEN).plan(reader).asks
    rows = [[math.log(0.5), math.log(0.3), math.log(0.2)]] * 3
    close(reader.weights(asks, rows, layer=2)[2], [0.25, 0.55, 0.2])
    close(reader.weights(asks, rows, layer=1)[2], [0.5, 0.3, 0.2])  # from the third layer on
    reader = ByHand("bvvq", layers=2)
    asks = Sinks("picture", 0.5, FIRST_TOKEN).plan(reader).asks
    found = reader.weights(asks, [[math.log(w) for w in (0.4, 0.3, 0.1, 0.2)]] * 4, layer=1)
    close(found[2], [0.5, 0.375, 0.125, 0.0])  # the picture's own rows are left alone
    close(found[3], [0.2, 0.45, 0.15, 0.2])


def test_it_is_told_where_weight_was_handed_over():
    reader = ByHand("bvq", layers=5)
    row = [[math.log(0.5), math.log(0.3), math.log(0.2)]] * 3
    plan = Sinks("picture", 0.5, FIRST_TOKEN).plan(reader)
    for layer in (3, 4):
        reader.weights(plan.asks, row, layer=layer)
    assert described(Sinks("picture", 0.5), plan)["notes"][-1] == "Weight was handed over in 2 of 3 layers: 3, 4."
    plan = Sinks("picture", 0.5, FIRST_TOKEN, least=0.4).plan(reader)
    reader.weights(plan.asks, row, layer=3)
    assert "No row was changed: none has 0.4 of its weight on the picture" in plan.afterwards()[0]


def test_what_stands_out_is_lifted_by_the_size_of_its_score():
    scores, strengths = torch.tensor([0.0, 1.0, -1.0, 0.0]), torch.tensor([0.0, 0.7, 0.3, 0.0])
    close(saliency.lifted(scores, strengths), [0.0, 1.7, -0.7, 0.0])
    close(scores.softmax(-1), [0.197, 0.534, 0.072, 0.197], 1e-3)
    close(saliency.lifted(scores, strengths).softmax(-1), [0.125, 0.687, 0.062, 0.125], 1e-3)
    close(saliency.lifted(torch.tensor([-math.inf, 1.0]), torch.tensor([0.5, 0.0])), [-math.inf, 1.0])
    pai = torch.tensor([0.0, 1.0])  # PAI, strength 0.2: 0.731 -> 0.769, and 0.269 -> 0.310
    close(saliency.lifted(pai, torch.tensor([0.0, 0.2])).softmax(-1)[1], 0.769, 1e-3)
    close(saliency.lifted(-pai, torch.tensor([0.0, 0.2])).softmax(-1)[1], 0.310, 1e-3)
    assert saliency.outliers(np.array([1.0, 1, 1, 1, 9])).tolist() == [False] * 4 + [True]
    local, summary = saliency.sets(np.array([9.0, 8, 1, 1, 1, 1, 1, 1]), np.array([5.0, 1, 1, 1, 1, 1, 1, 1]))
    assert local.tolist() == [False, True] + [False] * 6 and summary.tolist() == [True] + [False] * 7


def test_the_window_that_stands_out_most_wins():
    row = np.array([1.0, 1, 4, 2])
    assert closer.standing_out(row, (1,)) == ((2,), 2.5) and closer.standing_out(row, (2,)) == ((2,), 0.5)
    assert closer.box(row, 0.25) == ((2,), (1,))
    for n in (4, 5, 6):  # all of a flat map stands out from nothing, so it is no close-up
        assert closer.box(np.ones(n) + np.eye(n)[2] / 10, 0.5)[1] < (n,)
    frame = np.zeros((7, 7))
    frame[1:4, 3:6] = 1
    assert closer.box(frame, 0.4) == ((1, 3), (3, 3))


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (5, 3), (448, 252)])
def test_a_close_up_has_pixels_however_small_the_frame(shape):
    stimulus = Stimulus(np.full((3, *shape, 3), 7, np.uint8), 2.0, None)
    for window in ((0, 0, 3, 3), (4, 4, 3, 3), (6, 0, 1, 7)):
        near = closer.cropped(stimulus, window, (3, 7, 7)).frames
        assert near.shape == (2, *shape, 3) and (near == 7).all()


def test_a_dropped_key_is_merged_into_the_nearest_that_stays():
    keys = torch.tensor([[0.0, 1], [0.8, 0.6], [1, 0], [-1, 0]])[None, None]
    values = torch.tensor([[1.0], [2.0], [4.0], [8.0]])[None, None]
    gone = np.array([False, False, True, False])
    found, said = merged(keys, values, gone)
    close(found[0, 0][~gone], [[0.0, 1.0], [0.85, 0.45], [-1.0, 0.0]])
    close(said[0, 0, ~gone, 0], [1.0, 2.5, 8.0])  # as the keys: the mean of 2 and (2 + 4) / 2
    assert torch.equal(merged(keys, values, ~gone & gone)[0], keys)
    assert keys[0, 0, 1].tolist() == pytest.approx([0.8, 0.6])  # the cache that was given is left alone
