"""The speed table measures what it says: real prompts of the tiny model, ratios against plain SDPA."""

import torch

from models import speed
from models.interventions import costs
from models.omni import Kind
from models.speed import Bench, Cost, media, prompt_ids, table, tiny_size

CPU = torch.device("cpu")


def test_the_clip_is_one_the_model_accepts_and_both_ways_write_the_same():
    size = tiny_size()
    bench, shown = Bench(size, CPU, repeats=0), media(size, 2.0)
    ids = prompt_ids(shown, 20)
    assert list(ids).count(size.config.video_token_id) == int(shown.inputs["video_grid_thw"].prod()) // 4
    assert list(ids).count(size.config.audio_token_id) == size.seconds * size.config.position_id_per_seconds
    with torch.inference_mode():
        plain = bench._plain(speed.build(size, CPU, "sdpa"), shown, ids)
        thinker = speed.build(size, CPU, speed.PROBE)
        rows = bench._probed(thinker, shown, ids)[0]
        eager = bench._eager(speed.build(size, CPU, "eager"), shown, ids)
        assert bench._plain(thinker, shown, ids) == plain
        both = bench._two(bench._with_lora(thinker), shown, ids)
    assert rows.shape == (4, 8, speed.WRITTEN, len(ids) + speed.WRITTEN - 1) and len(both) == 2
    first = torch.from_numpy(rows[:, :, 0, : len(ids)]).float()
    torch.testing.assert_close(first, eager[0][:, 0].float(), atol=1e-3, rtol=0)
    assert len(eager) == speed.WRITTEN


def test_the_table_holds_ratios_and_says_what_failed():
    nothing = float("nan")
    costs = {"SDPA": Cost(2.0, 20.0), "probe": Cost(2.1, 20.2), "two answers": Cost(3.15, 22.0)}
    costs["eager"] = Cost(nothing, nothing, "out of memory")
    rows = [("clip", way, cost) for way, cost in costs.items()]
    lines = table(rows).splitlines()
    assert "| 2.100 | 1.05 | 20.20 | 1.01 |" in lines[3]
    assert "1.57 (1.50 x one answer)" in lines[4] and "out of memory" in lines[5]


def test_running_out_of_memory_is_a_result_and_other_errors_are_errors():
    def exhausted():
        raise torch.OutOfMemoryError("out of memory")

    assert Bench(tiny_size(), CPU).measure(exhausted).failed == "out of memory"
    cost = Bench(tiny_size(), CPU, repeats=3).measure(lambda: None)
    assert 0 <= cost.seconds < 1 and not cost.failed


def test_the_full_size_is_that_of_the_release():
    config = speed.full_size().config
    with torch.device("meta"):
        thinker = speed.Qwen2_5OmniThinkerForConditionalGeneration._from_config(config)
    assert 8.7e9 < sum(p.numel() for p in thinker.parameters()) < 9.1e9


def test_every_intervention_is_timed_on_a_prompt_that_it_changes():
    size = tiny_size()
    bench, shown = Bench(size, CPU, repeats=0), media(size, 2.0)
    ids = prompt_ids(shown, 20)
    thinker = speed.build(size, CPU, speed.PROBE)
    with torch.inference_mode():
        reader = costs.BareReader(thinker, shown, ids, lambda given, written: bench._fed(thinker, given, written))
        plain = bench._fed(thinker, shown, ids)
        for way in costs.timed(4).values():
            assert [len(row) for row in costs.answered(way, reader, 3)] == [3]
        deaf = reader.less({"sound"})
    assert len(plain) == len(reader.tokens) == len(ids)
    assert reader.tokens.kinds.count(Kind.QUESTION) == 20 and reader.tokens.kinds.count(Kind.AUDIO) > 0
    assert deaf.tokens.kinds.count(Kind.AUDIO) == 0 and len(deaf.fed) == len(deaf.ids) < len(ids)


def test_sweeps_are_timed_over_every_layer(capsys):
    speed.main(["--sweeps", "fake"])
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 6 and "exit of the sound" in told
    assert {row.split(" | ")[1] for row in rows} == {"12", "14"}  # 6 layers, and before all, of two adapters
