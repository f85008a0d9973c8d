"""Whatever text comes in, a visitor is told in one short sentence what to do."""

import pytest

from demo import cli, conflicts, questions
from demo.clips import Clip, gallery_clip, read_clip
from demo.conflicts import Conflict, apply
from demo.lettering import banner
from demo.media import probe
from demo.media.programs import run_ffmpeg
from demo.sentences import LONGEST, check_letters, quoted, shortened
from models.omni import McGurkError

HUGE = "x" * 10**6
LONE = "a\ud800b"


def refusal(act, *given, **how) -> str:
    with pytest.raises(McGurkError) as caught:
        act(*given, **how)
    sentence = shortened(str(caught.value))
    assert sentence == str(caught.value) and len(sentence) <= LONGEST and sentence.endswith(".")
    sentence.encode()
    return sentence


@pytest.mark.parametrize("text", [HUGE, LONE], ids=["megabyte", "surrogate"])
def test_hostile_text_everywhere(text):
    refusal(gallery_clip, text)
    refusal(read_clip, text)
    refusal(Conflict, sound=text)
    refusal(Conflict, picture=text)
    refusal(Conflict, text=text)
    refusal(Conflict, text_position=text)
    for kind in ("caption", "onscreen", "free"):
        refusal(Conflict, text=kind, caption=text)
    refusal(questions.question, text)
    refusal(questions.question, "free", own=text)
    refusal(questions.question, "free", [text, "dog"])


@pytest.mark.parametrize("caption", [None, 7, ["a"], {"a": 1}])
def test_a_caption_that_is_no_text(caption):
    assert "must be text" in refusal(Conflict, text="caption", caption=caption)


def test_options_that_are_one_text():
    assert "list" in refusal(questions.question, "see", "cat,dog")
    assert "must be text" in refusal(questions.question, "see", ["cat", 3])


@pytest.mark.parametrize("letters", [61, 200])
def test_a_caption_of_one_long_word(cello, letters):
    """It is shown and injected, but it is no name that could be offered as an option."""
    stimulus = apply(cello, Conflict(text="caption", caption="W" * letters))
    assert stimulus.read is None and "W" * letters in stimulus.text
    assert len(questions.build_options(stimulus)) == 9
    drawn = banner("W" * letters, 1280, 720)
    assert drawn[..., 3].any() and not drawn[:360, :, 3].any()


def test_a_sentence_is_cut_but_stays_a_sentence():
    assert quoted("dog") == "'dog'" and len(quoted(HUGE)) < 50 and "\n" not in quoted("a\nb")
    assert shortened("One\n line.") == "One line." and len(shortened(HUGE)) <= LONGEST
    shortened(LONE).encode()
    check_letters("The text", "žluťoučký 🐎")


def test_the_command_line_with_hostile_text(capsys, media_file):
    for options in (["--caption", LONE], ["--clip", "no\udcffsuch.mp4"], ["--caption", HUGE]):
        given = ["compose", "--clip", str(media_file("plain.mp4")), "--out", "/nowhere/x.mp4", *options]
        assert cli.main(given) == cli.WRONG
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and len(said) <= LONGEST + 1


def test_the_clip_that_is_broken_is_the_one_named(tmp_path, media_file, capsys):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(media_file("plain.mp4").read_bytes()[:4000])
    whole, out = str(media_file("plain.mp4")), str(tmp_path / "out.mp4")
    for clip, sound in ((str(broken), whole), (whole, str(broken))):
        assert cli.main(["compose", "--clip", clip, "--sound", sound, "--out", out]) == cli.WRONG
        assert "broken.mp4" in capsys.readouterr().err
    mute = Clip("mute one", None, None, 2.0, None, 4.0)
    assert "'mute one'" in refusal(conflicts.check, read_clip(whole), Conflict(sound="swap"), mute)


def test_a_file_that_is_gone_meanwhile(tmp_path):
    said = refusal(run_ffmpeg, [], tmp_path / "own-1.ts", timeout=1, what="Writing")
    assert said == "The file 'own-1.ts' is gone: choose another clip."
    assert refusal(probe, tmp_path / "own-1.ts") == said
