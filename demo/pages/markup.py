"""What several pages share: pictures, charts, warnings, colours. Knows HTML and Gradio. Does not know any page."""

from __future__ import annotations

import base64
from html import escape

import gradio as gr
import orjson
from gradio.components.plot import PlotData

from demo.draw.charts import Chart

QUIET = {"show_progress": "hidden", "api_visibility": "private"}  # of an event: no spinner, no endpoint
COLOURS = {"picture": "see", "sound": "hear", "text": "read"}  # modality -> the style class with its colour


def data_uri(kind: str, content: bytes) -> str:
    """An image as an address that holds it. kind: "jpeg" or "webp"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def plotted(chart: Chart) -> PlotData:
    """A chart as gr.Plot takes it, without the detour of a plotly figure."""
    return PlotData(type="plotly", plot=orjson.dumps(chart, option=orjson.OPT_SERIALIZE_NUMPY).decode())  # nan: null


def skips(value: object) -> bool:
    """Whether a value for a component is gr.skip(): nothing new."""
    return isinstance(value, dict) and value == gr.skip()


def toast(said: object) -> str:
    """Text for a toast, which would render markup."""
    return escape(str(said), quote=False)


def warn(error: Exception) -> None:
    """Show an error's sentence as a toast."""
    gr.Warning(toast(error))
