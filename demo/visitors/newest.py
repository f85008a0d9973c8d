"""Which of a visitor's askings is the newest, so that an older one that still runs writes nothing over its answers.

Knows sessions. Does not know what is asked.
"""

from collections.abc import Callable
from weakref import WeakValueDictionary


class Newest:
    """The last asking of each session, for as long as it runs."""

    def __init__(self):
        self._askings: WeakValueDictionary[str, Callable[[], bool]] = WeakValueDictionary()

    def begin(self, session: str) -> Callable[[], bool]:
        """Begin an asking; what is returned tells whether a newer one of the session has begun since."""

        def overtaken() -> bool:
            return self._askings.get(session) is not overtaken

        self._askings[session] = overtaken
        return overtaken
