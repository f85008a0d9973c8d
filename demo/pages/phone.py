"""The page on which a phone adds clips to the shelf of another page that shows a code.

Knows the code's field and the upload. Does not know shelves: whoever has the code can add, and see nothing.
"""

from __future__ import annotations

from html import escape

import gradio as gr

from demo.pages import mishaps
from demo.pages.markup import QUIET
from demo.pages.shelf import TYPES
from demo.session import Lab
from models.omni import McGurkError

HINT = "Choose a clip or take one with the camera: it appears on the page that shows the code."


def build(lab: Lab) -> None:
    """The page's components and events, inside the Blocks that are being built."""
    gr.Navbar(visible=False)
    with gr.Column(elem_classes=["sheet", "phone"]):
        gr.HTML('<header class="brand"><h1>McGurk</h1><p>Add a clip to your shelf</p></header>')
        code = gr.Textbox(label="Code", max_lines=1, max_length=20, elem_id="phone-code", placeholder="ABCD EFGH")
        upload = gr.UploadButton(
            "Choose or record a clip", file_types=TYPES, file_count="multiple",
            variant="primary", elem_id="phone-upload",
        )  # fmt: skip
        said = gr.HTML(_lines([HINT]), elem_id="phone-said")
        mishaps.at_rest(said, lambda failed, _last: _lines([failed]))

    def add(paths: list[str] | None, typed: str, request: gr.Request) -> str:
        lines = []
        for path in paths or []:
            try:
                shelf = lab.shelves.of(lab.invitations.session_of(typed))
                clip = lab.work(request.session_hash, lambda path=path, shelf=shelf: shelf.deliver(path))
                lines.append(f"“{clip.name}” is on the shelf now.")
            except McGurkError as error:
                lines.append(str(error))
        return _lines(lines or [HINT])

    upload.upload(add, [upload, code], [said], **QUIET)
    gr.context.Context.root_block.load(
        None, None, [code], js="() => new URLSearchParams(location.search).get('code') || ''", **QUIET
    )


def _lines(lines: list[str]) -> str:
    return "".join(f'<p role="status">{escape(line)}</p>' for line in lines)
