"""The command line: compose a clip, ask about one, list the models, run the bench, check for a Space.

Knows arguments and how results are printed. Does not compute anything: it calls what the pages call.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from demo import conflicts, labelling, perception, questions, space_check
from demo.bench import commands as bench
from demo.clips import USUAL, Clip, Sampling, gallery, read_clip, sampling_for
from demo.compare import Comparison, compare, to_json
from demo.conflicts import Conflict
from demo.media.player import compose
from demo.probing import steering, tellings
from demo.questions import Question
from demo.sentences import shortened
from models import registry
from models.interventions import INTERVENTIONS, Control
from models.omni import McGurkError, Stimulus

NAME_WIDTH = 18  # columns of a model's name in the list
WRONG, INTERRUPTED = 2, 130  # exit codes: something the caller can mend; Ctrl-C


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise McGurkError(f"{message[:1].upper()}{message[1:]}: see `{self.prog} --help`.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 with a sentence on stderr, or 130 after Ctrl-C."""
    try:
        given = parser().parse_args(arguments)
        given.run(given)
        sys.stdout.flush()
        return 0
    except McGurkError as error:
        print(shortened(str(error)), file=sys.stderr)
    except UnicodeEncodeError:  # a name or a text with bytes that are no letters
        print("A name or a text has characters that can't be shown here: use plain letters.", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{error.filename or 'A file'} can't be read or written: {error.strerror or error}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    return WRONG


def parser() -> Parser:
    """The parser of all commands; the chosen one's function is in `.run`."""
    top = Parser(prog="python -m demo", description="When sight, sound and text disagree, what does a model believe?")
    commands = top.add_subparsers(metavar="compose|ask|interventions|label|models|bench|space-check", required=True)

    composing = commands.add_parser("compose", help="write the mp4 of a clip with a conflict")
    _add_conflict(composing)
    composing.add_argument("--out", required=True, metavar="CLIP.mp4", help="the file to write")
    composing.set_defaults(run=run_compose)

    asking = commands.add_parser("ask", help="ask a model about a clip, before and after tuning")
    _add_conflict(asking)
    asking.add_argument("--question", required=True, metavar='see|hear|match|free|"own words"')
    asking.add_argument("--options", metavar='"A,B,C"', help="answers to choose from; none: a free answer")
    asking.add_argument("--model", default="mini", metavar="NAME", help="see `models`; default mini")
    asking.add_argument("--seen", metavar="NAME", help="what the picture shows, to tell whom an answer followed")
    asking.add_argument("--heard", metavar="NAME", help="what makes the sound that is played")
    asking.add_argument("--do", metavar="ID~NAME~VALUE", help="an intervention, see `interventions`")
    asking.add_argument("--json", action="store_true", help="print everything as JSON")
    asking.set_defaults(run=run_ask)

    labelling_ = commands.add_parser("label", help="propose labels for a folder of clips, to be corrected and benched")
    labelling_.add_argument("folder", type=Path, metavar="FOLDER", help="video, sound and picture files")
    labelling_.add_argument("--model", default="mini", metavar="NAME", help="see `models`; default mini")
    labelling_.set_defaults(run=run_label)

    doing = commands.add_parser("interventions", help="list what can be done to a model while it answers")
    doing.set_defaults(run=run_interventions)

    listing = commands.add_parser("models", help="list the models, what they need and whether they can run here")
    listing.set_defaults(run=run_models)

    hosting = commands.add_parser("space-check", help="what would fail on a Hugging Face Space, and how to mend it")
    hosting.add_argument("folder", nargs="?", type=Path, default=space_check.PROJECT, metavar="FOLDER")
    hosting.add_argument("--resolve", action="store_true", help="also ask pip what the Space asks (a minute, the net)")
    hosting.set_defaults(run=run_space_check)

    bench.add_parser(commands)
    return top


def run_compose(given: argparse.Namespace) -> None:
    """Write the player's file and print its path."""
    clip, other = _clips(given)
    conflict = _conflict(given)
    out = compose(clip, conflict, other, out=Path(given.out))
    _say_notices(clip, conflict, other)
    print(out)


def run_ask(given: argparse.Namespace) -> None:
    """Ask every adapter of a model and print what each answered."""
    clip, other = _clips(given)
    conflict, question = _conflict(given), _question(given)
    stimulus = conflicts.apply(clip, conflict, other)  # what is wrong with it is said before a model is loaded
    it = steering.from_word(given.do) if given.do else None
    model = registry.load_model(given.model)
    if (sampling := sampling_for(model)) != USUAL:
        clip, other = _clips(given, sampling)
        stimulus = conflicts.apply(clip, conflict, other)
    comparison = None
    untold = conflicts.untold(clip, conflict, other)
    if it is not None:
        print(tellings.told(it), file=sys.stderr)
    encoded = model.encode(stimulus)
    how = {"encoded": encoded, "untold": untold, "steering": it}
    for comparison in compare(model, stimulus, question, **how):  # noqa: B007  the last one is complete
        pass
    _say_notices(clip, conflict, other)
    print(json.dumps(to_json(comparison), indent=2) if given.json else _told(comparison, perception.offered(encoded)))


def run_label(given: argparse.Namespace) -> None:
    """Write clips.csv and contact sheets into a folder of clips and print their paths."""
    labelling.check(given.folder)
    found = []
    for proposal in labelling.propose(registry.load_model(given.model), given.folder):
        if isinstance(proposal, McGurkError):
            print(proposal, file=sys.stderr)
        else:
            found.append(proposal)
    if not found:
        raise McGurkError(f"No file of {str(given.folder)!r} could be read: give another folder.")
    for path in labelling.write(found, given.folder):
        print(path)


def run_models(_given: argparse.Namespace) -> None:
    """Print one line a model."""
    for entry in registry.entries():
        memory = f"{entry.memory:.1f}" if entry.memory else "?"  # of a plug-in nobody counted it
        print(f"{entry.name:{NAME_WIDTH}} {memory:>5} GB  {entry.description} (needs {entry.needs})")
        if obstacle := entry.obstacle():
            print(f"{'':{NAME_WIDTH}} can't run here: {obstacle}")


def run_space_check(given: argparse.Namespace) -> None:
    """Print what would fail on a Space, with the settings of this shell. Raises McGurkError if anything would."""
    found = space_check.check(given.folder) + (space_check.resolve(given.folder) if given.resolve else [])
    for finding in sorted(found, key=lambda finding: not finding.fails):
        print(f"{'fails' if finding.fails else 'mind'}: {finding.what}\n{'':7}{finding.mend}")
    if fatal := sum(finding.fails for finding in found):
        raise McGurkError(f"{fatal} {'thing' if fatal == 1 else 'things'} would fail on a Space: see above.")
    print("Nothing here fails on a Space.")


def run_interventions(_given: argparse.Namespace) -> None:
    """Print what each intervention does, its source, its controls and a word to start from."""
    for id, method in INTERVENTIONS.items():
        print(f"{id:{NAME_WIDTH}} {method.about}\n{'':{NAME_WIDTH}} source: {method.paper}. It fails: {method.fails}")
        for control in method.controls():
            print(f"{'':{NAME_WIDTH}} {control.name}: {_range(control)}")


def _range(control: Control) -> str:
    ranges = {
        "number": f"{control.low:g} to {control.high:g}, {control.default} unless told",
        "choice": " | ".join(control.choices),
        "layers": "first-last, like 3-9; all unless told",
        "layer": "a layer; -1: before the first",
        "heads": "layer and head, like 3h0.12h4",
        "positions": "whole numbers, like 3-9.12",
    }
    return ranges[control.kind]


def _add_conflict(to: argparse.ArgumentParser) -> None:
    to.add_argument("--clip", required=True, metavar="A.mp4", help="a media file, or the id of a gallery clip")
    sound = to.add_mutually_exclusive_group()
    sound.add_argument("--sound", metavar="B.mp4", help="swap in the sound of another clip")
    sound.add_argument("--mute", action="store_true", help="silence")
    sound.add_argument("--remove-sound", action="store_true", help="no sound track at all")
    to.add_argument("--swap-from", type=float, metavar="S", help="seconds; with --sound: from here on only")
    to.add_argument("--swap-to", type=float, metavar="S", help="seconds; with --sound: up to here only")
    to.add_argument("--shift", type=float, default=0.0, metavar="S", help="seconds; positive: the sound comes later")
    to.add_argument("--noise", type=float, metavar="DB", help="add noise at this signal-to-noise ratio")
    picture = to.add_mutually_exclusive_group()
    picture.add_argument("--black", action="store_true", help="a black screen")
    picture.add_argument("--freeze", action="store_true", help="one frame all the time")
    picture.add_argument("--remove-picture", action="store_true", help="no frames at all")
    text = to.add_mutually_exclusive_group()
    text.add_argument("--caption", metavar="TEXT", help='injects "The caption says: TEXT."')
    text.add_argument("--onscreen", metavar="TEXT", help="text burned into the frames")
    text.add_argument("--text", metavar="TEXT", help="any text, as it is")
    text.add_argument("--long-text", type=int, metavar="N", help="about N tokens of irrelevant text")
    to.add_argument("--after", action="store_true", help="injected text stands after the question, not before")


def _conflict(given: argparse.Namespace) -> Conflict:
    sound = "swap" if given.sound else "silence" if given.mute else "remove" if given.remove_sound else "own"
    picture = next((name for name in ("black", "freeze") if getattr(given, name)), "own")
    texts = {"caption": given.caption, "onscreen": given.onscreen, "free": given.text}
    kind = next((kind for kind, said in texts.items() if said is not None), "none")
    conflict = Conflict(
        sound=sound,
        swap_from=given.swap_from,
        swap_to=given.swap_to,
        shift=given.shift,
        noise_db=given.noise,
        picture="remove" if given.remove_picture else picture,
        text=kind,
        caption=texts.get(kind) or "",
        text_position="after" if given.after else "before",
    )
    return conflict if given.long_text is None else replace(conflict, text="long", long_tokens=given.long_text)


def _clips(given: argparse.Namespace, sampling: Sampling = USUAL) -> tuple[Clip, Clip | None]:
    """The clip, and the one whose sound is swapped in; labels given by hand win over the gallery's."""
    clip, other = find_clip(given.clip, sampling), find_clip(given.sound, sampling) if given.sound else None
    seen, heard = getattr(given, "seen", None), getattr(given, "heard", None)
    if seen:
        clip = replace(clip, seen=seen)
    if heard and other is None:
        clip = replace(clip, heard=heard)
    if heard and other is not None:
        other = replace(other, heard=heard)
    return clip, other


def find_clip(name: str, sampling: Sampling = USUAL) -> Clip:
    """Read a media file, or a gallery clip by its id. Raises McGurkError if it is neither."""
    known = {clip.id: clip for clip in gallery()}
    by_path = {clip.path.resolve(): clip for clip in known.values()}
    path = Path(name)
    labelled = by_path.get(path.resolve()) if path.exists() else known.get(name)
    if labelled is None:
        return read_clip(path, sampling)
    return labelled.read(sampling)


def _question(given: argparse.Namespace) -> Question:
    options = given.options.split(",") if given.options is not None else ()
    if given.question in questions.KINDS:
        return questions.question(given.question, options)
    if not given.question.strip():
        raise McGurkError(f"The question is empty: ask {', '.join(questions.KINDS)}, or in your own words.")
    return questions.question("free", options, own=given.question)


def _say_notices(clip: Clip, conflict: Conflict, other: Clip | None) -> None:
    for notice in conflicts.notices(clip, conflict, other):
        print(notice, file=sys.stderr)


def _told(comparison: Comparison, offered: perception.Perceived) -> str:
    """A comparison for people: the truth, then a line an adapter. offered: names for what nobody labelled."""
    lines = [_truth(comparison.stimulus), *_perceived(comparison, offered), comparison.question.prompt]
    for adapter, answer in comparison.answers.items():
        ranked = sorted(answer.options.items(), key=lambda pair: -pair[1])[:3]
        bars = ", ".join(f"{option} {probability:.0%}" for option, probability in ranked)
        lines.append(
            f"{adapter:8} {answer.text!r}, followed: {comparison.followed[adapter]}" + f"  ({bars})" * bool(bars)
        )
    return "\n".join([*lines, f"{comparison.seconds:.1f} s"])


def _perceived(comparison: Comparison, offered: perception.Perceived) -> list[str]:
    """What the encoders alone recognised in what nobody labelled."""
    lines = []
    for sense, option in (("picture", "--seen"), ("sound", "--heard")):
        if sense in comparison.untold:
            named = ", ".join(f"{name} {score:.0%}" for name, score in perception.names(offered, sense, 3))
            lines.append(f"{sense} perceived: {named or 'nothing that has a name'}  (say what it is with {option})")
    return lines


def _truth(stimulus: Stimulus) -> str:
    def said(label: str | None, there: bool) -> str:
        return label or ("unlabelled" if there else "nothing")

    picture = said(stimulus.seen, stimulus.frames is not None)
    sound = said(stimulus.heard, stimulus.waveform is not None)
    return f"picture: {picture}; sound: {sound}" + (f"; text claims: {stimulus.read}" if stimulus.read else "")
