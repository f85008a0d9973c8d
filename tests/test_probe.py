"""The probe reads what eager attention would return, changes no logit, keeps nothing T x T; steering is exact."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from models import probe
from models.asks import Asks, Edit
from models.interventions import Cut, Exit, Look
from models.interventions.cut import EVERYTHING, REGION
from models.interventions.reading import Reader
from models.omni import Kind, McGurkError, TokenMap
from models.probe import PROBE, paused, probed_attention, recording, scores, steering

LENGTH, STEPS = 23, 4


def build(attention: str, kv_heads: int = 2) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=kv_heads, initializer_range=0.4, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(11)
    return LlamaForCausalLM._from_config(config, attn_implementation=attention).eval()


def layers(model):
    return [layer.self_attn for layer in model.model.layers]


@pytest.fixture(params=(4, 2, 1), ids=("every head its own keys", "grouped", "one for all"))
def kv_heads(request):
    return request.param


@pytest.fixture
def ids():
    return torch.randint(1, 50, (2, LENGTH), generator=torch.Generator().manual_seed(2))


def run(model, ids, steps=STEPS, **how):
    """Logits of the prompt and of `steps` greedy tokens after it, and eager attention if asked for."""
    cache, logits, attentions = DynamicCache(config=model.config), [], []
    given = ids
    with torch.inference_mode():
        for _ in range(steps):
            said = model(input_ids=given, past_key_values=cache, use_cache=True, **how)
            logits.append(said.logits[:, -1])
            attentions.append(said.attentions)
            given = said.logits[:, -1].argmax(-1, keepdim=True)
    return torch.stack(logits), attentions


def test_rows_are_those_of_eager_attention(kv_heads, ids):
    probed = build(PROBE, kv_heads)
    with recording(layers(probed)) as recorder:
        run(probed, ids)
    _, expected = run(build("eager", kv_heads), ids, output_attentions=True)
    for step in range(STEPS):
        for layer in range(3):
            row = recorder.passes[layer][step]
            assert row.shape == (2, 4, LENGTH + step)
            torch.testing.assert_close(row, expected[step][layer][:, :, -1], atol=1e-5, rtol=0)
    rows = recorder.rows(sample=1)
    assert rows.shape == (3, 4, STEPS, LENGTH + STEPS - 1) and rows.dtype == "float16"
    assert rows[:, :, 0, LENGTH:].max() == 0  # nothing ahead of a row
    assert abs(rows.astype(float).sum(-1) - 1).max() < 5e-3


def test_padding_gets_no_weight(ids):
    mask = torch.ones_like(ids)
    mask[0, :6] = 0
    probed, eager = build(PROBE), build("eager")
    with recording(layers(probed)) as recorder, torch.inference_mode():
        probed(input_ids=ids, attention_mask=mask)
        said = eager(input_ids=ids, attention_mask=mask, output_attentions=True)
    assert recorder.passes[0][0][0, :, :6].max() == 0
    for layer in range(3):
        torch.testing.assert_close(recorder.passes[layer][0], said.attentions[layer][:, :, -1], atol=1e-5, rtol=0)


def test_logits_are_those_of_plain_sdpa(kv_heads, ids):
    probed = build(PROBE, kv_heads)
    with recording(layers(probed)):
        watched, _ = run(probed, ids)
    unwatched, _ = run(probed, ids)
    plain, _ = run(build("sdpa", kv_heads), ids)
    assert torch.equal(watched, plain) and torch.equal(unwatched, plain)


def test_the_probe_is_causal(ids):
    """A name missing in the mask registry silently loses the causal mask."""
    probed = build(PROBE)
    with torch.inference_mode():
        whole, part = probed(input_ids=ids).logits[:, :9], probed(input_ids=ids[:, :9]).logits
    torch.testing.assert_close(whole, part, atol=1e-5, rtol=1e-5)


def test_nothing_of_size_t_by_t_is_kept(ids):
    probed = build(PROBE)
    with recording(layers(probed)) as recorder:
        run(probed, ids)
    kept = [row for layer in recorder.passes for row in layer]
    assert len(kept) == 3 * STEPS and max(row.numel() for row in kept) == 2 * 4 * (LENGTH + STEPS - 1)
    assert all(row.untyped_storage().nbytes() == row.numel() * 4 for row in kept)  # no view into something larger


def test_a_row_copies_no_keys_for_the_heads_that_share_them():
    """At 13,000 tokens of a 7B model the copies cost more than the answer itself."""

    class Largest(TorchDispatchMode):
        made = 0

        def __torch_dispatch__(self, of, types, given=(), named=None):
            result = of(*given, **(named or {}))
            if isinstance(result, torch.Tensor):
                self.made = max(self.made, result.untyped_storage().nbytes())
            return result

    query, key = torch.randn(1, 12, 1, 16), torch.randn(1, 2, 500, 16).bfloat16()
    with Largest() as largest:
        found = scores(query, key, None, 0.25, 0, 1)
    assert largest.made == 2 * 500 * 16 * 4  # the keys in float32
    expected = query.double() @ key.double().repeat_interleave(6, 1).transpose(-1, -2) * 0.25
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


def test_only_the_named_layers_are_recorded_and_only_inside(ids):
    probed, other = build(PROBE), build(PROBE)
    with recording(layers(probed)[1:2]) as recorder:
        run(probed, ids, 1)
        run(other, ids, 1)
        with paused():
            run(probed, ids, 1)
    run(probed, ids, 1)
    assert [len(layer) for layer in recorder.passes] == [1]


def tokens() -> TokenMap:
    kinds = (Kind.SYSTEM,) * 4 + (Kind.VIDEO,) * 9 + (Kind.AUDIO,) * 5 + (Kind.QUESTION,) * 5
    empty = torch.zeros(LENGTH, 3).numpy()
    return TokenMap(kinds, ("",) * LENGTH, empty, empty[:, :2], (0, 0, 0), empty[:0, 0], empty[:, 0] > 0)


class OfLlama(Reader):
    """A prompt in front of a bare Llama, which is read elsewhere."""

    def __init__(self, model):
        self.model, self.tokens, self.heads = "llama", tokens(), 4
        self.attention, self.blocks = layers(model), model.model.layers

    def less(self, without, stand_in="removed"):
        raise NotImplementedError

    read = read_many = shares = less


def steered(model, ids, what, steps=STEPS):
    asks = [one.plan(OfLlama(model)).asks for one in (what if isinstance(what, list) else [what])]
    with recording(layers(model)) as recorder, steering(*asks):
        logits, _ = run(model, ids, steps)
    return logits, recorder


def test_a_knocked_out_kind_weighs_exactly_nothing(kv_heads, ids):
    for what, gone in ((Look(sound=0.0), slice(13, 18)), (Cut(REGION, EVERYTHING, region=(2,)), slice(2, 3))):
        logits, recorder = steered(build(PROBE, kv_heads), ids, what)
        for layer in recorder.passes:
            for row in layer:
                assert row[..., gone].max() == 0
                torch.testing.assert_close(row.sum(-1), torch.ones(2, 4))
    plain, _ = run(build(PROBE, kv_heads), ids)
    assert not torch.allclose(logits, plain)


def test_what_is_knocked_out_everywhere_might_as_well_not_be_there(ids):
    """Positions may look at themselves, so only what stands behind the knocked-out tokens is unmoved by them."""
    changed = ids.clone()
    changed[:, 13:18] = (ids[:, 13:18] + 7) % 49 + 1
    one, other = (steered(build(PROBE), given, Look(sound=0.0))[0] for given in (ids, changed))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_nothing_asked_for_changes_nothing(ids):
    model = build(PROBE)
    plain, _ = run(model, ids)
    assert not Look() and not Look(layers=(0, 1)) and Look(sound=0.5)
    with steering(None):
        assert torch.equal(run(model, ids)[0], plain)
    last_exit, _ = steered(model, ids, Exit("sound", 2))
    assert torch.equal(last_exit, plain)  # after the last layer


def test_the_rows_of_a_batch_can_be_steered_each_its_own_way(ids):
    same = ids[:1].expand(2, -1)
    ways = [Look(sound=0.0, layers=(1, 2)), Look(picture=3.0)]
    together, recorder = steered(build(PROBE), same, ways, steps=1)
    for row, way in enumerate(ways):
        alone, of_it = steered(build(PROBE), ids[:1], way, steps=1)
        torch.testing.assert_close(together[:, row : row + 1], alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(recorder.passes[2][0][row], of_it.passes[2][0][0], atol=1e-5, rtol=1e-5)


def test_a_gain_is_a_factor_on_the_weights_before_they_are_shared_out(ids):
    _, plain = steered(build(PROBE), ids, Look(sound=1.0), steps=1)
    _, louder = steered(build(PROBE), ids, Look(sound=3.0, layers=(0, 1)), steps=1)
    before, after = plain.passes[0][0], louder.passes[0][0]
    weighted = before.clone()
    weighted[..., 13:18] *= 3
    torch.testing.assert_close(after, weighted / weighted.sum(-1, keepdim=True), atol=1e-5, rtol=1e-5)


def test_steering_stays_in_its_layers(ids):
    _, recorder = steered(build(PROBE), ids, Look(picture=0.0, layers=(1, 2)))
    assert [float(layer[0][..., 4:13].max()) > 0 for layer in recorder.passes] == [True, False, True]


def test_impossible_steering_is_refused(ids):
    model = build(PROBE)
    with pytest.raises(McGurkError, match="from 0 to 100"):
        Look(sound=-1.0)
    with pytest.raises(McGurkError, match="not in the prompt"):
        steered(model, ids, Cut(REGION, EVERYTHING, region=(LENGTH,)))
    with pytest.raises(McGurkError, match="no injected text"):
        steered(model, ids, Look(text=0.0))
    with pytest.raises(McGurkError, match="no layers 1 to 3"):
        steered(model, ids, Look(sound=0.0, layers=(1, 4)))


def test_what_edits_write_over_is_not_read_before(kv_heads, ids, monkeypatch):
    """Not a bit is left of what stood there: rows that the edits do not write would be nan here."""
    probed = build(PROBE, kv_heads)
    edit = Edit(0, lambda scores, start, layer: (scores * 0.5).softmax(-1))
    asks = Asks(layers(probed), edits={0: edit, 2: edit})
    with steering(asks):
        found, _ = run(probed, ids)
    with steering(replace(asks, edits={at: replace(edit, first=5) for at in (0, 2)})):
        later, _ = run(probed, ids)  # rows before are read plainly
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda made, shape: torch.full(shape, torch.nan))
    with steering(asks):
        again, _ = run(probed, ids)
    assert torch.equal(again, found) and not torch.equal(later, found) and not later.isnan().any()


@pytest.mark.parametrize("start", (0, 70))
@pytest.mark.parametrize("kind", ("bias", "open or closed", "open ahead"))
def test_a_long_prompt_is_read_in_blocks_to_the_same_answer(monkeypatch, kind, start):
    """With blocks of 16 rows for 50: what is closed is left out, what a mask opens ahead is read."""
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(2, 4, 50, 8, generator=generator)
    key, value = (torch.randn(2, 2, start + 50, 8, generator=generator) for _ in range(2))
    seen = torch.ones(50, start + 50, dtype=torch.bool).tril(start)[None, None]
    if kind == "open ahead":
        seen[..., 3, start + 45] = True
    mask = seen if kind == "open or closed" else torch.zeros(seen.shape).masked_fill(~seen, -torch.inf) + 0.5
    module = build(PROBE).model.layers[0].self_attn
    whole = probed_attention(module, query, key, value, mask)[0]
    monkeypatch.setattr(probe, "LONG", 40)
    monkeypatch.setattr(probe, "ROWS", 16)
    read = []
    forward = probe.sdpa_attention_forward
    monkeypatch.setattr(
        probe, "sdpa_attention_forward", lambda *given, **how: read.append(given[2].shape[2]) or forward(*given, **how)
    )
    found = probed_attention(module, query, key, value, mask)[0]
    torch.testing.assert_close(found, whole)
    assert read == ([start + 50] if kind == "open ahead" else [start + 16, start + 32, start + 48, start + 50])
