"""Heads that see, hear or read: those whose output changes most without a modality, found live and turned up.

VHD and VHR (arXiv 2412.13949): VHD of a head is |A(with) - A(without)|, A its output before the output projection at
the prompt's last position; without: the modality's tokens are gone. A head that surges without it (VHD and
|A(without)|^2 both above mean + deviation of its layer) counts 0. Heads above their layer's median are multiplied by
`strength`, in all rows, layer by layer: what is measured in a layer has the layers below reinforced already. The choice
is made once, at the prompt, and kept for the answer; one measured for another clip would lose most of the effect.
moved() is the map of all heads; with `chosen` heads nothing is measured, and strength 0 cuts them.
Where a layer stands for several (the sliding ones before a full one), each has heads, measurement and factors of its
own; map and chosen heads are those of the layer that is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from models.interventions.intervention import (
    MODALITIES,
    Intervention,
    choice,
    chosen_layers,
    number,
    several,
    window,
)
from models.omni import McGurkError, OmniModel

if TYPE_CHECKING:
    import numpy as np

    from models.interventions.reading import Plan, Reader


@dataclass(frozen=True)
class Heads(Intervention):
    """kind: whose heads. strength: factor on what they put out. layers: None: the second and the last 13 of 30.

    chosen: heads of your own choice in their place, those of these layers (None: all).
    """

    id: ClassVar[str] = "heads"
    title: ClassVar[str] = "Turn up the heads that see or hear"
    about: ClassVar[str] = "Finds the heads whose output changes most without a modality, and multiplies it."
    paper: ClassVar[str] = "VHD and VHR, arXiv 2412.13949"
    fails: ClassVar[str] = "In many layers, or far turned up, words suffer; gains on yes-no questions are small."

    kind: str = choice("heads that need the", MODALITIES)
    strength: float = number("their output ×", 1.0, 0.0, 8.0, neutral=1.0)
    layers: tuple[int, int] | None = window()
    chosen: tuple[tuple[int, int], ...] = several("heads of your own choice", "heads")

    def __bool__(self) -> bool:
        return self.strength != 1.0

    @classmethod
    def usual(cls, asked: str, layers: int) -> Heads:
        return cls(asked, 2.0)

    def plan(self, reader: Reader) -> Plan:
        from models.asks import Asks
        from models.interventions.reading import Plan

        if self.chosen:
            within = chosen_layers(self.layers, reader.layers)
            scaled = self._own(reader)
            if not (layers := tuple(sorted({layer for layer, _ in self.chosen} & set(within)))):
                raise McGurkError(f"None of the chosen heads is in layers {within[0]} to {within[-1]}: choose others.")
            return Plan(Asks(reader.attention, outputs=dict.fromkeys(layers, scaled)), layers=layers)
        layers = chosen_layers(self.layers, reader.layers) if self.layers else published(reader.layers)
        gone, _ = reader.once(("without", self.kind), lambda: outputs(reader.less({self.kind})))
        factors: dict[Any, Any] = {}  # of each module
        last = len(reader.tokens) - 1

        def louder(output, start, layer, module):
            if start <= last < start + output.shape[1]:
                found = sensitive(output[:, last - start].float(), gone[module])
                factors[module] = 1 + (self.strength - 1) * found
            return output * factors[module][:, None, :, None].to(output.dtype)

        asks = Asks(reader.attention, outputs=dict.fromkeys(layers, louder))
        return Plan(asks, layers=layers, passes=1)

    def _own(self, reader: Reader):
        for layer, head in self.chosen:
            if not (0 <= layer < reader.layers and 0 <= head < reader.heads):
                raise McGurkError(f"There is no head {head} in layer {layer}: see the grid.")

        def scaled(output, start, layer, module):
            if module is reader.modules(layer)[-1]:
                output[:, :, [head for at, head in self.chosen if at == layer]] *= self.strength
            return output

        return scaled


def published(layers: int) -> tuple[int, ...]:
    """The second layer and the last ones, as many of them as 14 of 32 are."""
    return tuple(sorted({min(1, layers - 1), *range(layers - max(1, round(layers * 14 / 32)), layers)}))


def sensitive(present, gone):
    """bool, rows x heads: heads of one layer that need the modality; present, gone: outputs, rows x heads x width."""
    changed, surge = (present - gone).norm(dim=-1), gone.square().sum(-1)
    changed = changed.masked_fill(_outlying(changed) & _outlying(surge), 0.0)
    return changed > changed.quantile(0.5, dim=-1, keepdim=True)


def _outlying(values):
    return values > values.mean(-1, keepdim=True) + values.std(-1, correction=0, keepdim=True)


def outputs(reader: Reader):
    """(attention module -> its heads' outputs at the prompt's last position, rows x heads x width; logits after it)."""
    from models.asks import Asks

    last, found = len(reader.tokens) - 1, {}

    def watch(output, start, layer, module):
        found[module] = output[:, last - start].float().clone()
        return output

    asks = Asks(reader.attention, outputs=dict.fromkeys(range(reader.layers), watch), first=last)
    return found, reader.read(asks)[1]


def moved(
    model: OmniModel, encoded: Any, question: str, kind: str, adapters: Iterable[str] | None = None
) -> dict[str, np.ndarray]:
    """{adapter: float32, layers x heads}: VHD of every head shown, nothing reinforced. Raises McGurkError."""
    import torch

    found = {}
    for adapter in adapters or model.adapters:
        with model.opened(encoded, question, adapter) as reader:
            (present, _), (gone, _) = outputs(reader), outputs(reader.less({kind}))
            shown = [reader.modules(layer)[-1] for layer in range(model.layers)]
        norms = [(present[module] - gone[module])[0].norm(dim=-1) for module in shown]
        found[adapter] = torch.stack(norms).cpu().numpy()
    return found
