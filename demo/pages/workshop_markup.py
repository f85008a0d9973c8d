"""The form of an intervention and the answers under it, as HTML. Every text goes through html.escape.

Knows markup and controls. Does not know components, models or how anything was computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import count
from typing import Any

from demo.pages import answers
from demo.pages.markup import COLOURS
from demo.probing import steering, tellings
from demo.probing.workshop import cost, notes, region
from demo.session import Asked
from models.interventions import Control, Intervention

MAIN = {  # the controls of a method that are seen at once, in this order; the others are folded
    "look": ("picture", "sound", "text"),
    "listen": ("kind", "gain"),
    "cut": ("target", "source"),
    "exit": ("kind", "after"),
    "heads": ("kind", "strength"),
    "counterfactual": ("kind", "how", "use"),
    "guidance": ("picture", "sound"),
    "composite": ("lines",),
    "mutual": ("who",),
    "inhibit": ("media", "keep"),
    "sinks": ("kind", "keep"),
    "closer": ("what",),
    "saliency": ("kind", "alpha", "beta"),
    "budget": ("kind", "keep"),
}
LARGEST = 8.0  # of a slider whose range goes on far beyond what is useful
FEW = 4  # choices that are shown beside each other
PICKED = {  # what is chosen elsewhere, and where
    "region": "press “Cut what I click” in Frames, Sound or Words",
    "chosen": "choose heads in Heads",
}
_FORMS = count(1)  # two forms in the same words are two: see workshop.js
EMPTY = '<p class="hint tall">Choose above what is done to them: both answer the same question again.</p>'


def form(
    it: Intervention | None,
    layers: int = 0,
    strengths: Mapping[str, Sequence[float]] | None = None,
    region: str = "",
) -> str:
    """The controls of an intervention with its values, what it does, its source and where it fails.

    layers: of the model; 0: not known yet. strengths: modality -> a number (0..1) a layer, for the layer picker.
    region: the places that were picked, in words, where known.
    """
    if it is None:
        return EMPTY
    controls = {control.name: control for control in it.controls()}
    shown = [controls.pop(name) for name in MAIN.get(it.id, ()) if name in controls]
    shown += [controls.pop(name) for name in PICKED if name in controls and getattr(it, name)]
    folded = [control for control in controls.values() if control.kind not in ("layers", "layer") or layers]
    strips = "".join(f"--{name}:{_gradient(values)};" for name, values in (strengths or {}).items())
    presets = "".join(
        f'<button type="button" data-wish="{escape(_word(it.id, values))}">{escape(name)}</button>'
        for name, values in it.presets.items()
    )
    controls_of = lambda them: "".join(_control(it, c, layers, region) for c in them)  # noqa: E731
    more = controls_of(folded)
    return (
        f'<div class="how" data-id="{escape(it.id)}" data-of="{escape(_modality(it))}" data-form="{next(_FORMS)}" '
        f'style="{escape(strips)}">'
        f'<p class="about">{escape(it.about)}</p>'
        f"{f'<p class=tries>{presets}</p>' if presets else ''}"
        f'<div class="controls">{controls_of(shown)}</div>'
        + (f"<details><summary>More</summary><div class=controls>{more}</div></details>" if more else "")
        + f'<p class="source">Source: {escape(it.paper)}. <b>Where it fails:</b> {escape(it.fails)}</p></div>'
    )


def changed(asked: Asked | None) -> str:
    """Both answers under the last intervention, marks where each bar was, what was done and what it cost."""
    if asked is None or not asked.changed:
        return '<p class="hint tall">The answers under it appear here, with marks where each bar was before.</p>'
    it, under = asked.changed
    before, after, passes = cost(asked)
    more = f", {passes} more reading{'s' * (passes != 1)} of the prompt each" if passes else ""
    said = _noted(notes(under))
    return (
        f'<p class="does">{escape(tellings.told(it, region(asked, it)))}</p>{answers.steered(asked.comparison, under)}'
        f'<p class="hint cost">Both answers took {after:.2f} s, {before:.2f} s without it{more}. {escape(said)}</p>'
    )


def _noted(notes: Mapping[str, str]) -> str:
    """What a method says about each adapter's answer; once where it says the same of all."""
    if len(set(notes.values())) < 2:
        return next(iter(notes.values()), "")
    return " ".join(f"{answers.TITLES.get(adapter, adapter)}: {said}" for adapter, said in notes.items() if said)


def _control(it: Intervention, control: Control, layers: int, region: str) -> str:
    control, value = replace(control, label=tellings.called(it.id, control.label)), getattr(it, control.name)
    name, label = escape(control.name), escape(control.label)
    if control.kind == "choice":
        return _choice(control, value, {one: tellings.called(it.id, one) for one in control.choices})
    if control.kind == "number":
        high = max(min(control.high, LARGEST), float(value))
        colour = COLOURS.get(control.name, "")
        return (
            f'<label class="control number {colour}"><span>{label} <output>{value:g}</output></span>'
            f'<input type="range" data-name="{name}" min="{control.low:g}" max="{high:g}" step="{control.step:g}" '
            f'value="{value:g}"></label>'
        )
    if control.kind == "layer":
        return (
            f'<label class="control layer"><span>{label} <output>{value}</output></span><span class="strip">'
            f'<input type="range" data-name="{name}" min="-1" max="{max(layers, value + 1, 1) - 1}" step="1" '
            f'value="{value}"></span></label>'
        )
    if control.kind == "layers":
        return _layers(control, value, layers)
    return _picked(control, value, region if control.name == "region" else "")


def _choice(control: Control, value: str, said: Mapping[str, str]) -> str:
    """said: each choice in words."""
    name, label = escape(control.name), escape(control.label)
    if len(control.choices) > FEW:
        options = "".join(
            f'<option value="{escape(one)}"{" selected" if one == value else ""}>{escape(said[one])}</option>'
            for one in control.choices
        )
        return f'<label class="control"><span>{label}</span><select data-name="{name}">{options}</select></label>'
    radios = "".join(
        f'<label class="{COLOURS.get(one, "none")}"><input type="radio" name="how-{name}" data-name="{name}" '
        f'value="{escape(one)}"{" checked" if one == value else ""}>{escape(said[one])}</label>'
        for one in control.choices
    )
    return f'<fieldset class="control"><legend>{label}</legend><div class="chips">{radios}</div></fieldset>'


def _layers(control: Control, value: tuple[int, int] | None, layers: int) -> str:
    first, last = (value[0], value[1] - 1) if value else (0, layers - 1)
    said = "all" if value is None else f"{first} to {last}"
    ends = "".join(
        f'<input type="range" class="end" min="0" max="{layers - 1}" step="1" value="{at}" aria-label="{which} layer">'
        for which, at in (("first", first), ("last", last))
    )
    return (
        f'<div class="control layers" data-layers="{escape(control.name)}"><span>{escape(control.label)} '
        f'<output>{said}</output></span><span class="strip">{ends}</span></div>'
    )


def _picked(control: Control, value: tuple, told: str) -> str:
    """What is chosen elsewhere on the page, kept as it stands in a word; told: what it is, in words."""
    where = PICKED.get(control.name)
    if where is None:  # whole numbers, written
        said = escape(".".join(map(str, value)))
        return (
            f'<label class="control"><span>{escape(control.label)} (like 0.3.5; none: all)</span>'
            f'<input type="text" data-name="{escape(control.name)}" value="{said}" inputmode="decimal"></label>'
        )
    said = (told or f"{len(value)} chosen") if value else f"none: {where}"
    written = _value(control, value)
    return (
        f'<div class="control"><span>{escape(control.label)}: {escape(said)}</span>'
        f'<input type="hidden" data-name="{escape(control.name)}" value="{escape(written)}"></div>'
    )


def _value(control: Control, value: tuple) -> str:
    if control.kind == "heads":
        return ".".join(f"{layer}h{head}" for layer, head in value)
    return steering.runs(value)


def _word(id: str, values: Mapping[str, Any]) -> str:
    return steering.APART.join([id, *(str(one) for pair in values.items() for one in pair)])


def _modality(it: Intervention) -> str:
    """Whose strengths the layer picker shows."""
    for name in ("kind", "source", "what", "media", "who"):
        for modality in COLOURS:
            if modality in str(getattr(it, name, "")):
                return modality
    return "picture"


def _gradient(values: Sequence[float]) -> str:
    """Steps of one colour, a layer each, as a CSS background."""
    top = max(values, default=0) or 1
    n = len(values)
    shade = "color-mix(in srgb,var(--c) {:.0f}%,transparent) {:.2f}% {:.2f}%"
    stops = ",".join(shade.format(100 * v / top, 100 * at / n, 100 * (at + 1) / n) for at, v in enumerate(values))
    return f"linear-gradient(90deg,{stops})" if stops else "none"
