"""What was given and what was answered, as HTML: the truth under the player, the two answer cards, the receipt.

Knows markup; every text goes through html.escape. Does not know components, models or how anything was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import count

from demo.compare import UNTOLD, Comparison
from demo.probing.heeding import heeded
from demo.questions import ABSTAINED, BOTH, OTHER, PICTURE, SOUND, TEXT, Question, agree, verdict
from demo.visitors.turns import Full, Wait
from models.omni import ALIGNED, BASE, Answer, Receipt, Stimulus

_REFUSALS = count(1)  # two refusals in the same words are two: a page shows nothing new for the same markup
AGAIN = 15  # s after which a page that found no room asks again, at the latest
TITLES = {BASE: "Before tuning", ALIGNED: "After alignment tuning"}
FOLLOWED = {  # whom an answer followed: class, symbol, words
    PICTURE: ("see", "◉", "followed the picture"),
    SOUND: ("hear", "♪", "followed the sound"),
    TEXT: ("read", "¶", "followed the text"),
    BOTH: ("both", "◉♪", "took picture and sound into account"),
    ABSTAINED: ("none", "∅", "abstained"),
    OTHER: ("none", "?", "followed none of them"),
    UNTOLD: ("none", "?", "nobody told what is true here"),
}
SENSES = {"see": (PICTURE, SOUND), "hear": (SOUND, PICTURE)}  # which a question is about, and the other
HEEDED = {PICTURE: ("saw", "see", "eyes"), SOUND: ("heard", "hear", "ears")}
MATCHED = {BOTH: "right about picture and sound", OTHER: "wrong about picture and sound"}
AGREED = "true of picture and sound alike"  # one name for both: nobody can tell which of them was followed
TRUTHS = (("see", "seen", "seen"), ("hear", "heard", "heard"), ("read", "read", "read"))  # class, field, word


def given(stimulus: Stimulus, notices: Sequence[str] = (), untold: frozenset[str] = frozenset()) -> str:
    """What the picture shows, what the sound is, what the text claims; untold: see conflicts.untold."""
    seen = stimulus.seen or _unnamed(stimulus.frames is None, "nothing: no picture", "picture" in untold)
    heard = stimulus.heard or _unnamed(stimulus.waveform is None, "missing: no sound track", "sound" in untold)
    read = stimulus.read or ("no name" if stimulus.text else "nothing")
    rows = (
        ("see", "◉", "The picture shows", seen, stimulus.seen),
        ("hear", "♪", "The sound is", heard, stimulus.heard),
        ("read", "¶", "The text claims", read, stimulus.read),
    )
    items = "".join(
        f'<li class="{kind}{"" if known else " quiet-truth"}">'
        f'<span aria-hidden="true">{symbol}</span> {what} <b>{escape(value)}</b></li>'
        for kind, symbol, what, value, known in rows
    )
    said = "".join(f"<li>{escape(notice)}</li>" for notice in notices)
    return f'<ul class="given" aria-label="What the models were given">{items}</ul><ul class="notices">{said}</ul>'


def waiting(wait: Wait) -> str:
    """How many questions come first and how long that takes."""
    first = "1 question comes" if wait.before == 1 else f"{wait.before} questions come"
    return f"{first} first: about {max(1, round(wait.seconds))} s."


def full(error: Full) -> str:
    """There is no room now; the page's script asks again after `data-again` seconds, once for each `data-refusal`."""
    again = min(error.seconds, AGAIN)
    return (
        f'<p class="status busy" role="status" data-again="{again}" data-refusal="{next(_REFUSALS)}">'
        f"{escape(str(error))} "
        f"The page asks again by itself in {again} s.</p>"
    )


def asked(question: Question | None) -> str:
    """The question in large letters."""
    return f'<p class="asked">{escape(question.text)}</p>' if question else '<p class="asked">&nbsp;</p>'


def answer_card(adapter: str, comparison: Comparison | None, *, busy: bool = False, title: str = "") -> str:
    """One adapter's card: its answer, whom it followed, a bar for every option. Empty places keep their height."""
    answer = comparison.answers.get(adapter) if comparison else None
    heading = f"<h3>{escape(title or TITLES.get(adapter, adapter))}</h3>"
    if answer is None:
        return (
            f'<section class="answer {"busy" if busy else "empty"}" data-adapter="{escape(adapter)}" '
            f'aria-busy="{"true" if busy else "false"}">{heading}<p class="text">{"…" if busy else "&nbsp;"}</p>'
            f'<p class="badge none">{"is answering" if busy else "&nbsp;"}</p>'
            f"{'<i class=bone></i>' * (6 if busy else 0)}</section>"
        )
    text = escape(answer.text) or "<i>(said nothing)</i>"
    size = "short" if len(answer.text) <= 18 else "medium" if len(answer.text) <= 48 else "long"
    return (
        f'<section class="answer" data-adapter="{escape(adapter)}" aria-busy="false">{heading}'
        f'<p class="text {size}">{text}</p>{badge(comparison, adapter)}{heard_it(comparison, adapter)}'
        f"{bars(answer, comparison.stimulus)}</section>"
    )


def is_busy(card: object) -> bool:
    """Whether it is a card that says that its adapter is answering."""
    return isinstance(card, str) and 'aria-busy="true"' in card


def second(comparison: Comparison | None) -> str:
    """Whose answer stands on the right: the aligned adapter's, or what the model offers instead of one."""
    return comparison.adapters[1] if comparison and len(comparison.adapters) > 1 else ALIGNED


def second_card(comparison: Comparison | None, *, busy: bool = False) -> str:
    """The right-hand card; it says so where there is no aligned adapter, and shows what was tried instead."""
    name = second(comparison)
    title = "" if name in TITLES else f"No aligned adapter: {name}"
    return answer_card(name, comparison, busy=busy, title=title)


def badge(comparison: Comparison, adapter: str) -> str:
    """Whom an answer followed, in words, with a symbol, in that modality's colour."""
    kind, symbol, words = _whom(comparison, adapter)
    return f'<p class="badge {kind}"><span aria-hidden="true">{symbol}</span> {words}</p>'


def spoken(comparison: Comparison) -> str:
    """Both answers and whom they followed, as a screen reader says them when they are there."""
    return " ".join(
        f"{TITLES.get(adapter, adapter)}: {answer.text or 'nothing'}, {_whom(comparison, adapter)[2]}."
        for adapter, answer in comparison.answers.items()
    )


def _whom(comparison: Comparison, adapter: str) -> tuple[str, str, str]:
    """Class, symbol and words of a badge."""
    kind, symbol, words = FOLLOWED[comparison.followed[adapter]]
    if comparison.question.kind == "match":
        return kind, symbol, MATCHED.get(comparison.followed[adapter], words)
    asked, other = SENSES.get(comparison.question.kind, ("", ""))
    if comparison.followed[adapter] == UNTOLD and asked and asked not in comparison.untold:
        return kind, symbol, f"not the {asked}; nobody told what the {other} is"
    if _one_thing(comparison, adapter):
        return FOLLOWED[BOTH][0], FOLLOWED[BOTH][1], AGREED
    return kind, symbol, words


def _one_thing(comparison: Comparison, adapter: str) -> bool:
    """Whether an answer is true of picture and sound alike, as "a cow" and "mooing" are of a cow that moos."""
    return comparison.followed[adapter] in (PICTURE, SOUND, BOTH) and agree(comparison.stimulus)


def heard_it(comparison: Comparison, adapter: str) -> str:
    """Whether a wrong answer was bias or deafness: what the encoder alone had of it, in a few words; "" if unknown."""
    found = heeded(comparison, adapter)
    if found is None or (not found.right and _one_thing(comparison, adapter)):
        return ""
    past, kind, organ = HEEDED[found.sense]
    said = {
        (True, True): f"{past} it, and said so",
        (True, False): f"{past} it, but said otherwise",
        (False, False): f"never {past} it",
        (False, True): f"right, though its {organ} {past} something else",
    }[found.perceived, found.right]
    names = escape(f"Its {organ} alone {past}: {', '.join(found.names)}")
    return f'<p class="heeded {kind}" title="{names}">{said}</p>'


def bars(answer: Answer, stimulus: Stimulus, before: Answer | None = None) -> str:
    """One bar an option: its probability, marked with what is true of it. before: marks where each bar was."""
    if not answer.options:
        return '<p class="hint">A free answer: there are no options to weigh.</p>'
    rows = "".join(_bar(option, p, answer, stimulus, before) for option, p in answer.options.items())
    return f'<ul class="bars" aria-label="Probability of each option">{rows}</ul>'


def status(text: str = "", busy: bool = False, unseen: str = "") -> str:
    """One line that screen readers announce. unseen: what only they say."""
    also = f' <span class="unseen">{escape(unseen)}</span>' if unseen else ""
    said = escape(text) or "&nbsp;"
    kind = f'class="status{" busy" if busy else ""}"{" data-said" if text else ""}'
    return f'<p {kind} role="status" aria-live="polite">{said}{also}</p>'


def answered(comparison: Comparison, recalled: bool = False, more: str = "") -> str:
    """The line once both answers are there; screen readers say besides what they are. more: a further sentence."""
    seconds = f"{comparison.seconds:.1f} s"
    said = f"Answered before, in {seconds}: shown again." if recalled else f"Answered in {seconds}."
    return status(f"{said} {more}".strip(), unseen=spoken(comparison))


def receipt(comparison: Comparison | None) -> str:
    """What each adapter really received, as a table."""
    if comparison is None or not comparison.answers:
        return '<p class="hint">The receipt of the next answer appears here.</p>'
    receipts = {adapter: answer.receipt for adapter, answer in comparison.answers.items()}
    columns = {adapter: _receipt_lines(one, comparison.answers[adapter]) for adapter, one in receipts.items()}
    head = "".join(f'<th scope="col">{escape(TITLES.get(adapter, adapter))}</th>' for adapter in columns)
    prompt = next(iter(receipts.values())).prompt
    names = list(dict.fromkeys(name for lines in columns.values() for name in lines))
    body = "".join(_receipt_row(name, [lines.get(name, "") for lines in columns.values()]) for name in names)
    return (
        f'<table class="receipt"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'
        f'<h4>The prompt as sent</h4><pre class="prompt" tabindex="0">{escape(prompt)}</pre>'
    )


def steered(original: Comparison, changed: Comparison) -> str:
    """Both adapters' answers under an intervention, with a mark where each option stood before."""
    cards = []
    for adapter, answer in changed.answers.items():
        was = original.answers[adapter]
        same = "the same answer without it" if answer.text == was.text else f"without it: {was.text}"
        cards.append(
            f'<section class="answer" data-adapter="{escape(adapter)}"><h3>{escape(TITLES.get(adapter, adapter))}</h3>'
            f'<p class="text short">{escape(answer.text)}</p>{badge(changed, adapter)}<p class="was">{escape(same)}</p>'
            f"{bars(answer, changed.stimulus, was)}</section>"
        )
    return f'<div class="pair">{"".join(cards)}</div>'


def _unnamed(missing: bool, without: str, untold: bool) -> str:
    return without if missing else "something: nobody told what" if untold else "nothing that has a name"


def _bar(option: str, p: float, answer: Answer, stimulus: Stimulus, before: Answer | None) -> str:
    true = [(kind, word) for kind, name, word in TRUTHS if getattr(stimulus, name) == option]
    colour = true[0][0] if true else "none"
    marks = "".join(f'<em class="{kind}">{word}</em>' for kind, word in true)
    chosen = " chosen" if option in (answer.text, verdict(answer.text)) else ""
    was = before.options.get(option) if before else None
    ghost = "" if was is None else f'<s style="left:{was:.1%}" title="without it: {was:.0%}"></s>'
    return (
        f'<li class="{colour}{chosen}"><span class="name"><span>{escape(option)}</span>{marks}</span>'
        f'<span class="track"><u style="width:{p:.1%}"></u>{ghost}</span><span class="p">{p:.0%}</span></li>'
    )


def _receipt_lines(one: Receipt, answer: Answer) -> dict[str, str]:
    height, width = one.frame_size
    lines = {
        "model and adapter": f"{one.model}, {one.adapter}",
        "adapter's checksum": one.adapter_sha256[:16] or "none: the bare model",
        "tokens": ", ".join(f"{kind} {count}" for kind, count in one.tokens.items()),
        "picture": f"{one.frames} frames of {width} × {height}, {one.fps:g} a second" if one.frames else "none",
        "sound": f"{one.audio_seconds:.2f} s" if one.audio_seconds else "none",
        "decoding": f"{one.decoding}, seed {one.seed}",
        "time": f"{answer.seconds:.2f} s",
        "versions": ", ".join(f"{name} {version}" for name, version in one.versions.items()),
    }
    for what, named in answer.perceived.items():
        lines[f"encoder alone, {what}"] = ", ".join(f"{name} {score:.2f}" for name, score in named[:3]) or "nothing"
    if one.notes:
        lines["notes"] = " ".join(one.notes)
    return lines


def _receipt_row(name: str, cells: list[str]) -> str:
    if len(cells) > 1 and len(set(cells)) == 1:
        return f'<tr><th scope="row">{escape(name)}</th><td colspan="{len(cells)}">{escape(cells[0])}</td></tr>'
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
