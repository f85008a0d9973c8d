"""How the pages look: theme, style sheet, script. Knows Gradio's launch arguments. Does not know any page's content."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from demo.clips import GalleryClip, gallery
from demo.pages.markup import data_uri
from demo.space import space_page

HERE = Path(__file__).parent
ICON = HERE.parent.parent / "assets" / "icon.svg"  # of the tab, and of the page installed on a phone
STYLES = "lab", "inside", "picks", "workshop", "shelf", "bench", "lessons"
SCRIPTS = "lab", "inside", "workshop", "heads", "picks"
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")  # none is fetched
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
NO_PICTURE = "linear-gradient(135deg, #39424e, #5a6675)"


def look() -> dict[str, Any]:
    """Arguments for Blocks.launch()."""
    return {
        "theme": theme(),
        "css": "".join((HERE / f"{page}.css").read_text(encoding="utf-8") for page in STYLES) + thumbnails(gallery()),
        "head": space()
        + "".join(f"<script>{(HERE / f'{page}.js').read_text(encoding='utf-8')}</script>" for page in SCRIPTS),
        "favicon_path": ICON,
        "footer_links": ["api", "settings"],
    }


def space() -> str:
    """Markup by which the script knows the Space whose frame it is in; "" where there is none."""
    return f'<meta name="mcgurk-space" content="{escape(space_page())}">' if space_page() else ""


def theme() -> gr.themes.Base:
    """A quiet grey theme in the visitor's own fonts, so that the modalities' colours are the only ones."""
    return gr.themes.Base(
        primary_hue="slate", secondary_hue="slate", neutral_hue="slate", font=FONT, font_mono=MONO, radius_size="md"
    ).set(
        body_background_fill="#f4f6f8",
        body_background_fill_dark="#0e1217",
        block_background_fill="#ffffff",
        block_background_fill_dark="#171d25",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_size="12px",
        block_title_text_color="*body_text_color_subdued",
        block_title_text_weight="500",
        input_background_fill="#f4f6f8",
        input_background_fill_dark="#0e1217",
        input_border_color="#d5dbe2",
        input_border_color_dark="#2b3542",
        button_primary_background_fill="#1d2733",
        button_primary_background_fill_hover="#32404f",
        button_primary_background_fill_dark="#e6ebf1",
        button_primary_background_fill_hover_dark="#ffffff",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#10161d",
        body_text_color="#1b2430",
        body_text_color_dark="#e8edf3",
        body_text_color_subdued="#566170",
        body_text_color_subdued_dark="#9aa7b6",
        border_color_primary="#dde3e9",
        border_color_primary_dark="#273140",
    )


def thumbnails(clips: tuple[GalleryClip, ...]) -> str:
    """Style rules that give each choice of the clip picker its picture, in the order of the gallery."""
    rules = []
    for place, clip in zip(range(len(clips), 0, -1), clips, strict=True):  # from the end: own clips come first
        picture = NO_PICTURE
        if clip.thumbnail.is_file():
            picture = f"url({data_uri('jpeg', clip.thumbnail.read_bytes())})"
        rules.append(f"#clip label:nth-last-of-type({place})::before{{background-image:{picture}}}")
    return "\n".join(rules)
