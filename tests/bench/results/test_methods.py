"""Tables of methods: against plain answers and against tuning, what is said of it, and that a file gives it back."""

import math

import pytest

from demo.bench.results import methods
from demo.bench.results.methods import ALL, OTHER_MISSING, PLAIN, chance, read_table, said, table, verdicts, write
from demo.pages.methods_markup import methods_html
from models.omni import ALIGNED, BASE, McGurkError

ABSTAINS = "none of the above"


def sample(number, condition="swap", ask="hear", **right):
    """right: method -> (base is right, aligned is right)."""

    def answer(correct):
        whom = "sound" if correct else "picture"
        return {"correct": correct, "followed": whom, "seconds": 0.5, "refused": "", "adapter_sha256": "ab"}

    answers = {method: {BASE: answer(one), ALIGNED: answer(two)} for method, (one, two) in right.items()}
    return {"key": f"{number}/{condition}", "condition": condition, "ask": ask, "answers": answers}


def run(*counts, condition="swap"):
    """Samples for (how many, base plain, aligned plain, base with the method)."""
    made = []
    for count, plain, tuned, with_it in counts:
        made += [sample(len(made) + n, condition, plain=(plain, tuned), look=(with_it, tuned)) for n in range(count)]
    return made


def test_a_method_is_tested_against_its_plain_answers_and_against_the_tuned_ones():
    # plain 2 of 12, tuned 10, with the method 4 (3 mended, 1 broken); of the tuned ones it misses 8 and has 2 more
    rows = table(
        run(
            (1, True, True, True),
            (1, True, False, False),
            (2, False, True, True),
            (1, False, False, True),
            (7, False, True, False),
        )
    )
    by = {(row.method, row.adapter): row for row in rows}
    plain, look, tuned = by[PLAIN, BASE], by["look", BASE], by[PLAIN, ALIGNED]
    assert (plain.n, plain.right, look.right, tuned.right) == (12, 2, 4, 10)
    assert (look.mended, look.broken, look.p) == (3, 1, 0.625)  # 2 (1 + 4) / 2^4
    assert (look.beyond_tuned, look.behind_tuned) == (1, 7)
    assert look.p_tuned == pytest.approx(2 * (1 + 8) / 2**8)
    assert (tuned.beyond_tuned, tuned.behind_tuned, tuned.p_tuned) == (0, 0, 1.0)


def test_all_questions_are_summed_up_and_missing_modalities_counted_by_abstentions():
    rows = table([*run((3, True, True, False)), sample(9, "no_sound", "see", plain=(True, True), look=(True, True))])
    conditions = {row.condition: row for row in rows if (row.method, row.adapter) == (PLAIN, BASE)}
    assert list(conditions) == ["swap", OTHER_MISSING, ALL]
    assert (conditions[ALL].n, conditions[ALL].right) == (4, 4)
    assert (conditions[OTHER_MISSING].right, conditions[OTHER_MISSING].count) == (1, 0)  # nobody abstained
    assert [row.condition for row in table(run((2, True, True, True)))] == ["swap"] * 4


@pytest.mark.parametrize(
    ("counts", "reached", "words"),
    [
        (((9, False, True, False), (1, True, True, True)), False, "Not reached (McNemar p = 0.0039"),
        (((9, False, True, True), (1, True, True, True)), True, "Reached."),
        (((2, False, True, False), (5, True, True, True)), None, "Too few to tell"),
    ],
)
def test_the_verdict_says_what_was_reached(counts, reached, words):
    (verdict,) = verdicts(table(run(*counts)))
    assert verdict.reached is reached and verdict.methods == 1
    assert words in said(verdict, "Look")


def test_where_abstentions_are_counted_the_sentence_has_them_too():
    (verdict,) = verdicts(table([sample(9, "no_sound", "see", plain=(True, True), look=(True, True))]))
    nobody = said(verdict, "Look")
    assert "100 % right (0 % abstained)" in nobody and "Look: 100 % (0 % abstained)" in nobody


@pytest.mark.parametrize(
    ("p", "words"), [(2.4e-43, "p < 0.0001"), (0.00012, "p = 0.00012"), (0.731, "p = 0.73"), (1.0, "p = 1")]
)
def test_no_chance_is_written_in_powers_of_ten(p, words):
    assert chance(p) == words


def test_where_tuning_gains_nothing_there_is_nothing_to_reach():
    (verdict,) = verdicts(table(run((4, True, False, True))))
    assert not verdict.needed and "nothing to reach" in said(verdict, "Look")
    lone = [s | {"answers": {m: {BASE: a[BASE]} for m, a in s["answers"].items()}} for s in run((4, True, True, True))]
    rows = table(lone)
    assert verdicts(rows) == [] and math.isnan(rows[0].p_tuned)


def test_a_table_is_read_back_as_it_was_written(tmp_path):
    rows = table(run((3, True, False, False), (6, False, True, True)))
    write(tmp_path, rows)
    back = read_table(tmp_path / methods.FILE)
    assert [row.condition for row in back] == [row.condition for row in rows]
    assert [(row.right, row.mended, row.seconds) for row in back] == [
        (row.right, row.mended, row.seconds) for row in rows
    ]
    assert [row.p for row in back] == pytest.approx([row.p for row in rows], rel=1e-2)
    (tmp_path / "broken.csv").write_text("condition,method\nswap,look\n")
    for name in ("broken.csv", "none.csv"):
        with pytest.raises(McGurkError, match="no table of interventions"):
            read_table(tmp_path / name)


def test_it_is_told_whom_the_answers_followed():
    rows = table(run((3, True, False, False), (6, False, True, True)))
    plain = next(row for row in rows if (row.method, row.adapter) == (PLAIN, BASE))
    assert plain.followed == {"picture": 6, "sound": 3, "text": 0, "abstained": 0}
    told, page = methods.markdown(rows), methods_html(rows)
    assert "sound swapped: picture / sound / text / abstains |" in told and "| plain | base | 67 / 33 / 0 / 0 |" in told
    assert "; followed: picture 6, sound 3" in page
    assert "--whom:linear-gradient(90deg,var(--see) 0.0% 66.7%,var(--hear) 66.7% 100.0%,var(--track) 100.0%)" in page
    agreeing = [sample(0, "aligned", plain=(True, True), look=(True, True))]
    for answers in agreeing[0]["answers"].values():
        for answer in answers.values():
            answer["followed"] = "both"
    assert "Whom" not in methods.markdown(table(agreeing)) and "--whom" not in methods_html(table(agreeing))


def test_only_answers_that_were_timed_count_for_the_seconds(tmp_path):
    samples = run((4, True, True, False))
    for number, sample in enumerate(samples):  # three of four plain answers were taken beside other work
        for adapter, plain in sample["answers"][PLAIN].items():
            plain["seconds"] = None if number or adapter == ALIGNED else 0.7
        for answer in sample["answers"]["look"].values():
            del answer["seconds"]
    rows = table(samples)
    assert {(row.method, row.adapter): row.seconds for row in rows if math.isfinite(row.seconds)} == {
        (PLAIN, BASE): 0.7
    }
    write(tmp_path, rows)
    lines = (tmp_path / "interventions.md").read_text().splitlines()
    assert [line.split("|")[-2].strip() for line in lines[2:6]] == ["0.70", "", "", ""]
    assert [math.isnan(row.seconds) for row in read_table(tmp_path / methods.FILE)] == [False, True, True, True]
    page = methods_html(rows)
    assert '<td class="took">0.70</td>' in page and '<td class="took"></td>' in page and "nan" not in page
