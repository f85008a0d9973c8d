"""Interventions: what if it looked elsewhere, listened less, or could not look at all? One file a method.

How a page uses them:
- `INTERVENTIONS` maps an id to its class, in order. A class has `title` (what it does, in a visitor's words), `about`
  (one sentence), `paper` (its source), `fails` (where it does), `presets` (name -> values) and `controls()`: for each
  a name, a label, a kind ("number" with low, high and step; "choice" with choices; "layers": (first, last + 1) or None
  for all; "layer": -1 to last, or None; "heads": pairs (layer, head); "positions": whole numbers), a default, and the
  neutral value where there is one.
- `make(id, values)` gives the frozen value, lists for tuples, or raises McGurkError in one sentence; `to_values(it)`
  is the way back, for links and JSON. An intervention is False where it changes nothing; `says()` tells its values.
- `model.answer(encoded, question, options, steering=it)` asks so. The receipt's `intervention` then holds id, what,
  layers, rows ("all": prefill and answer; "last": from the prompt's last position on), extra passes and notes.
  Nothing to work on, or a model that can't, is a McGurkError.
- `model.sweep(encoded, question, options, [it, ...])` yields (adapter, place, {option: probability}) as they are ready:
  close it to stop. `cut.along(Cut(...), layers)` and `exit.along(kind, layers)` list what a curve over layers needs;
  `dataclasses.replace(it, gain=...)` what one over a strength needs.
- `cut.patch`, `cut.stretch`, `cut.words` and `cut.between` turn a click into the positions of `Cut(source="region",
  region=...)`, given the TokenMap of an answer's attention.
- `heads.moved(model, encoded, question, kind)` gives the grid of heads, {adapter: layers x heads}: how far each head's
  output moves without the modality; `Heads(kind, strength, chosen=((layer, head), ...))` turns those up, or cuts them.
- `usual(asked, layers)`: what one would try for a question about the "picture" or the "sound".
"""

from models.interventions.budget import Budget
from models.interventions.catalogue import INTERVENTIONS, make, to_values
from models.interventions.closer import Closer
from models.interventions.composite import Composite
from models.interventions.counterfactual import Counterfactual
from models.interventions.cut import Cut
from models.interventions.exit import Exit
from models.interventions.guidance import Guidance
from models.interventions.heads import Heads
from models.interventions.inhibit import Inhibit
from models.interventions.intervention import Control, Intervention
from models.interventions.listen import Listen
from models.interventions.look import Look
from models.interventions.mutual import Mutual
from models.interventions.saliency import Saliency
from models.interventions.sinks import Sinks

__all__ = [
    "INTERVENTIONS", "Budget", "Closer", "Composite", "Control", "Counterfactual", "Cut", "Exit", "Guidance", "Heads",
    "Inhibit", "Intervention", "Listen", "Look", "Mutual", "Saliency", "Sinks", "make", "to_values",
]  # fmt: skip
