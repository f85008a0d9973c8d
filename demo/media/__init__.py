"""What is in a media file, and its frames and sound on one clock.

Knows files. Does not know clips, labels or conflicts. A file is only ever decoded in a process of its own (child.py),
which is given an open descriptor, no name, no network, and bounded time and memory:

    limits.py      what may come in, and what reading it may cost
    reading.py     asks the child, and says what went wrong
    child.py       the process; answers.py: how arrays travel
    recordings.py  video and sound files: containers.py walks them, sound.py and moving.py put them on the clock
    stills.py      files in picture formats: pictures.py; hdr.py: tone mapping
    programs.py    ffmpeg, for writing what the player plays
"""

from demo.media.facts import MediaInfo, Reading
from demo.media.programs import READ, ffmpeg, run_ffmpeg, temporary_beside
from demo.media.reading import probe, read, write_film, write_sound

__all__ = [
    "READ",
    "MediaInfo",
    "Reading",
    "ffmpeg",
    "probe",
    "read",
    "run_ffmpeg",
    "temporary_beside",
    "write_film",
    "write_sound",
]
