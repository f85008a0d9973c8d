"""The About page: what the demo is, how its attention is computed, what it does not show, and its sources.

Knows prose alone. States no measured number.
"""

from __future__ import annotations

import gradio as gr

from demo.clips import GalleryClip, gallery
from demo.space import space_page

PROSE = """
# About McGurk

People who watch lips that say *ga* while the sound says *ba* hear something else: seeing changes hearing. This is
the McGurk effect. **McGurk** asks the same of a multimodal language model. Give it the picture of one clip and the
sound of another, or a caption that is wrong, ask what it sees or hears, and watch one model answer twice:
**before** and **after alignment tuning**, with the attention of both drawn on the frames, on the sound and on the
words.

## Before and after

Both answers come from the same weights. *Before* was trained as such models usually are: on clips whose picture,
sound and caption agree. It was never taught to fail; it was only never shown a disagreement. *After* adds a small
LoRA adapter to the language model, trained on clips that disagree, on misleading captions, and on clips in which
what is asked about is missing.

## How to read a result

- **The cards** say what the clip is made of. Blue is sight, orange is sound, green is text, everywhere on the page.
- **Followed the picture, the sound, the text**: which of the three the answer names. *Abstained*: it said that it
  can't tell.
- **Bars**: the probability of each offered answer, scored over its whole text. *Seen*, *heard* and *read* mark what
  is true. Where an answer gives its reasons first (“I see a cat and I hear rain: no”), they are weighed after those.
- **Receipt**: what the model really received, counted in what was fed. The commonest fault in this field is a model
  that silently never got the sound; here it would show.

## How the attention is computed

While the model reads the prompt and writes its answer, each text layer computes, for the position that is about to
speak, how much weight each earlier position gets: softmax(q Kᵀ). These rows are recorded inside the attention
function itself. The map shows the row of the last position of the prompt, averaged over the heads and layers
chosen, laid out where its tokens lie: place and time in the picture, moments in the sound, words in the prompt.

- Each token of the answers can be chosen: the map is then where the model looked when it wrote that token. The first
  twelve of an answer are kept, of a large model fewer.
- *This question* is that map itself. *Minus the other question* subtracts the map of the same clip under the other
  question (seeing against hearing): what remains depends on what was asked. *Relative to a neutral prompt* divides
  by the map under “Describe this.”
- The embedded model hears 0.96 s at once and makes three moments of it. The lane under the spectrogram is averaged over
  as much. Beneath each lane lie the bands that the encoder tells apart, high frequencies on top.
- *Heads* are measured where the answer begins: how far a head's output moves when a modality is taken away.
  *What they say* reads each layer's state out as if it were the last, for picture and sound tokens.
- Beside an answer stands whether the model's eyes or ears (its encoders, asked without the language model) had the
  truth: “heard it, but said otherwise” is bias, “never heard it” is deafness.
- The first token draws attention whatever it holds. It is left out unless you put it back in.
- Before and after are drawn on one scale, so that they can be compared.

## What it does not show

- **Attention is not explanation.** A model can look at a place and not use it, and use what passed through other
  positions. That is why the tab *What if it couldn't look there?* stands beside the maps: it takes the attention
  away and asks again.
- **Tuning has a price.** Teaching a model to mistrust can make it abstain too readily, or lean on the modality that
  it was asked about when the other would have helped. Try clips that agree, matching captions and long texts too,
  not only the conflicts it was tuned for.
- The embedded model is small. It names objects and sounds; it does not hold a conversation, and what it misses a
  larger model may see.
- Whom an answer followed is read from its words. A synonym nobody thought of counts as *none of them*.

## Privacy

Clips that you upload or record stay on the machine that runs this page and are deleted after a while. Nothing is
sent elsewhere; the page loads no fonts or scripts from other places and counts no visitors.

## Sources

- The question and the conditions: *Some Modalities are More Equal Than Others: Decoding and Architecting Multimodal
  Integration in MLLMs* (MMA-Bench), [arXiv 2511.22826](https://arxiv.org/abs/2511.22826).
- The effect: H. McGurk and J. MacDonald, *Hearing lips and seeing voices*, Nature 264 (1976).
- The embedded model's parts: SmolLM2-135M-Instruct, EfficientNet-Lite2 (ImageNet), YAMNet (AudioSet), all
  Apache-2.0.
- Colours: M. Okabe and K. Ito, *Color Universal Design* (2008).
"""

DUPLICATE = """
## A Space of your own

A copy under your account answers nobody but whom you let in, keeps no one waiting, and takes a model of your choice
(`MCGURK_MODEL` in its settings).
"""


def build() -> None:
    """Lay out the page."""
    with gr.Column(elem_classes=["sheet", "prose"]):
        gr.Markdown(PROSE)
        if space_page():
            gr.Markdown(DUPLICATE)
            gr.Button(
                "Duplicate this Space", link=f"{space_page()}?duplicate=true", link_target="_blank", size="sm",
                elem_id="duplicate",
            )  # fmt: skip
        clips = gallery()
        if clips:
            gr.Markdown("## The clips")
            gr.Dataframe(
                [_row(clip) for clip in clips], headers=["clip", "seen", "heard", "licence", "origin"],
                interactive=False, wrap=True, show_label=False, datatype="str",
            )  # fmt: skip


def _row(clip: GalleryClip) -> list[str]:
    return [clip.title, clip.seen, clip.heard, clip.licence, clip.origin]
