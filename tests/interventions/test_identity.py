"""What holds of every intervention, on `mini`, on both Qwen-Omni families and on both Gemma families (tiny, random).

Neutral values change no bit, others change something, the cache changes nothing, and what isn't there is refused.
"""

from functools import cache

import pytest
import torch

from models.interventions import INTERVENTIONS, make, to_values
from models.interventions.budget import DROPPED, Budget
from models.interventions.closer import BOTH, Closer
from models.interventions.composite import ACROSS, CLOSED, EVERY, Composite
from models.interventions.counterfactual import INSTEAD, SHUFFLED, SUBTRACTED, Counterfactual
from models.interventions.cut import EVERYTHING, REGION, Cut
from models.interventions.exit import Exit
from models.interventions.guidance import Guidance
from models.interventions.heads import Heads, moved
from models.interventions.inhibit import Inhibit
from models.interventions.listen import Listen
from models.interventions.look import Look
from models.interventions.mutual import Mutual
from models.interventions.saliency import Saliency
from models.interventions.sinks import FIRST_TOKEN, Sinks
from models.interventions.streams import begin
from models.mini.backend import Mini
from models.omni import BASE, Kind, McGurkError
from models.pretrained.backend import Pretrained
from models.pretrained.families import FAMILIES
from tests import tiny_gemma, tiny_omni
from tests.interventions.prompts import OPTIONS, QUESTION, longer, opened, step, stimulus

NEUTRAL = {
    "look": Look(), "listen": Listen(), "cut": Cut(REGION), "exit": Exit("sound"), "heads": Heads(),
    "counterfactual": Counterfactual(SUBTRACTED, gamma=0.0), "guidance": Guidance(), "composite": Composite(),
    "mutual": Mutual(), "inhibit": Inhibit(), "sinks": Sinks(), "closer": Closer(), "saliency": Saliency(),
    "budget": Budget(),
}  # fmt: skip
TRIED = [
    Look(picture=4.0, sound=0.3),
    Look(text=0.0, rows="last"),
    Look(sound=3.0, layers=(1, 2)),
    Listen("sound", 0.2),
    Listen("picture", 2.0, layers=(0, 2), heads=(1,)),
    Cut("picture", "last"),
    Cut("text", "question", layers=(0, 2)),
    Cut(REGION, EVERYTHING, region=(9, 10)),
    Exit("picture", 0),
    Exit("sound", -1),
    Heads("sound", 2.0),
    Heads(strength=0.0, chosen=((0, 1), (1, 0))),
    Counterfactual(INSTEAD, "picture"),
    Counterfactual(SUBTRACTED, "sound", SHUFFLED, 0.7),
    Guidance(picture=0.5, sound=1.5),
    Guidance(sound=1.0, stand_in="blank"),
    Composite(EVERY),
    Composite(ACROSS, CLOSED),
    Mutual("picture and sound"),
    Inhibit("picture and sound", 0.3),
    Sinks("picture", 0.3, FIRST_TOKEN, least=0.0),
    Closer(BOTH),
    Saliency("picture", 0.7, 0.3),
    Budget("picture", 0.2),
    Budget("sound", 0.5, DROPPED),
]
ALONE = ("closer", "budget")  # they change the clip, or what is remembered: there is no reading without a cache


@pytest.fixture(
    scope="module",
    params=(pytest.param("mini", marks=pytest.mark.mini), *(family.name for family in FAMILIES)),
)
def model(request):
    if request.param == "mini":
        return Mini(dtype=torch.float32)  # bfloat16 would round differently in passes of another length
    family = next(family for family in FAMILIES if family.name == request.param)
    if family.name.startswith("Gemma"):
        return Pretrained(family.name, tiny_gemma.model(family.name), tiny_gemma.processor(family.name), family)
    return Pretrained(
        family.name, tiny_omni.thinker(family.name), tiny_omni.processor(family.name), family, pixels=tiny_omni.PIXELS
    )


def ask(model, how=None):
    return model.ask(stimulus(), QUESTION, OPTIONS, adapters=(BASE,), steering=how, max_new_tokens=2)[BASE]


@pytest.fixture(scope="module")
def once(model):
    """once(how) is what `model` answers then, asked when first wanted: the same question has one answer."""
    return cache(lambda how=None: ask(model, how))


@pytest.mark.parametrize("neutral", NEUTRAL.values(), ids=lambda it: it.id)
def test_neutral_values_change_no_bit(model, once, neutral):
    plain, same = once(), ask(model, neutral)
    assert not neutral and same.options == plain.options and same.receipt.intervention == {}
    assert (same.attention.rows == plain.attention.rows).all() and same.text == plain.text


def test_an_exit_after_the_last_layer_is_no_exit(model, once):
    plain, left = once().options, ask(model, Exit("picture", model.layers - 1)).options
    assert max(abs(plain[o] - left[o]) for o in OPTIONS) < 1e-4
    assert ask(model, Exit("picture", model.layers - 2)).options != left


def test_a_word_looks_at_its_share_of_the_media_tokens_and_at_no_other(model):
    attention = ask(model, Inhibit(keep=0.3)).attention
    media = attention.tokens.positions(Kind.VIDEO, Kind.AUDIO)
    for row in (0, 1):  # of the prompt's last position, and of the first token written
        seen = attention.rows[:, :, row][..., media].max((0, 1)) > 0
        assert seen.sum() == round(0.3 * len(media))


def test_every_method_is_tried_here():
    assert {it.id for it in TRIED} == set(NEUTRAL) == set(INTERVENTIONS)


@pytest.mark.parametrize("how", TRIED, ids=lambda it: f"{it.id}: {it.says()}")
def test_it_changes_the_answer_and_the_receipt_says_how(model, once, how):
    answer = once(how)
    assert answer.options != once().options
    done = answer.receipt.intervention
    assert done["id"] == how.id and done["rows"] in ("all", "last") and done["extra passes"] >= 0
    assert done["layers"] and set(done["layers"]) <= set(range(model.layers)) and done["what"] == how.says()


@pytest.mark.parametrize("how", [it for it in TRIED if it.id not in ALONE], ids=lambda it: f"{it.id}: {it.says()}")
def test_reading_with_a_cache_and_without_agree(model, how):
    agree_with_a_cache_and_without(model, how)


def test_a_learned_nothing_stands_in_where_one_was_learnt(model):
    how = Guidance(picture=1.0, sound=0.5, stand_in="learned")
    if isinstance(model, Mini):
        agree_with_a_cache_and_without(model, how)
        return
    with pytest.raises(McGurkError, match="has not learnt what nothing looks or sounds like: let it be removed"):
        ask(model, how)


def agree_with_a_cache_and_without(model, how):
    written = [3, 41, 7]
    with opened(model, stimulus(), BASE) as reader:
        streams, logits, plan = begin(how, reader)
        cached = [logits] + [step(reader, streams, token, n) for n, token in enumerate(written)]
        for n in range(len(written) + 1):
            found = [longer(reader, written[:n]).read(plan.asks)[1]]
            found += [longer(other, written[:n]).read(asks)[1] for other, asks, _ in plan.contrasts]
            whole = streams.combined(found)
            near = (
                1e-3 if whole.dtype == model.dtype else 0.35
            )  # bfloat16 rounds differently in batches of another size
            assert (cached[n] - whole).abs().max() < near * max(1.0, float(whole.std()))


@pytest.mark.parametrize(
    "how", [it for it in TRIED if not getattr(it, "chosen", ())], ids=lambda it: f"{it.id}: {it.says()}"
)
def test_what_is_not_there_is_refused(model, how):
    bare = tiny_omni.stimulus(frames=0, seconds=None)
    with pytest.raises(McGurkError, match=r"^There is no|^Position \d+ is not"):
        how = how if how.says().find("region") < 0 else Cut(REGION, EVERYTHING, region=(10_000,))
        model.ask(bare, QUESTION, OPTIONS, adapters=(BASE,), steering=how, max_new_tokens=2)


def test_a_sweep_is_each_of_its_answers(model, once):
    ways = [None, *(it for it in TRIED if it.id != "closer")]
    found = {place: shares for _, place, shares in model.sweep(
        model.encode(stimulus()), QUESTION, OPTIONS, ways, adapters=(BASE,)
    )}  # fmt: skip
    assert sorted(found) == list(range(len(ways)))
    for place, how in enumerate(ways):
        alone = once(how).options
        assert list(found[place]) == list(OPTIONS)
        assert max(abs(found[place][o] - alone[o]) for o in OPTIONS) < 1e-4


def test_a_sweep_measures_a_prompt_once(model, monkeypatch):
    with opened(model, stimulus(), BASE) as reader:
        kind = type(reader)
    read, made = kind.read, []
    monkeypatch.setattr(kind, "read", lambda self, *given: made.append(self) or read(self, *given))
    ways = [Inhibit(keep=keep) for keep in (0.1, 0.4, 0.7)] + [Heads("sound", gain) for gain in (0.5, 2.0)]
    [*_] = model.sweep(model.encode(stimulus()), QUESTION, OPTIONS, ways, adapters=(BASE,))
    assert len(made) == 2  # what words look at, and what heads say without the sound


@pytest.mark.parametrize("how", TRIED, ids=lambda it: f"{it.id}: {it.says()}")
def test_values_are_written_and_read_back(how):
    assert make(how.id, to_values(how)) == how
    with pytest.raises(McGurkError, match="has no 'nonsense'"):
        make(how.id, {"nonsense": 1})


def test_heads_move_where_their_modality_is_heard(model):
    encoded = model.encode(stimulus())
    found = moved(model, encoded, QUESTION, "sound", adapters=(BASE,))[BASE]
    assert found.shape == (model.layers, model.heads) and (found >= 0).all() and found.max() > 0
    with pytest.raises(McGurkError, match="There is no injected text"):
        moved(model, model.encode(stimulus(text="")), QUESTION, "text", adapters=(BASE,))


def test_a_close_up_is_asked_about_with_the_whole_and_no_sweep_has_it(model, once):
    answer, plain = once(Closer(BOTH)), once().receipt
    assert answer.receipt.audio_seconds > plain.audio_seconds and len(answer.receipt.intervention["notes"]) == 2
    with pytest.raises(McGurkError, match="part of a sweep"):
        list(model.sweep(model.encode(stimulus()), QUESTION, OPTIONS, [Closer(BOTH)]))


def test_a_model_without_sinks_says_so_with_the_measurement(model):
    try:
        notes = ask(model, Sinks("picture", 0.5)).receipt.intervention["notes"]
        assert "% makes a sink" in notes[0]
    except McGurkError as error:
        assert "no sink dimension: at most" in str(error) and "%" in str(error)
