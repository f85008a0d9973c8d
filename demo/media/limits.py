"""What may come in, and what reading it may cost: allowed containers and codecs, caps on pixels, time and memory.

Knows the names that libav and Pillow give them. Does not know how anything is read.

The lists hold what phones, cameras, browsers and editors write. Everything else is refused unread: playlists, formats
that fetch or draw (HLS, DASH, concat, SVG, text, subtitles), game media, and containers that nobody records in today.
"""

from __future__ import annotations

import os
import resource

FORMATS = (
    "mov", "mp4", "matroska", "webm", "avi", "flv", "asf", "ogg", "mpegts", "mpeg", "mpegvideo", "mxf", "dv",
    "h264", "hevc", "m4v", "obu", "ivf", "yuv4mpegpipe",
    "wav", "w64", "aiff", "caf", "au", "mp3", "aac", "flac", "amr", "ac3", "eac3",
)  # fmt: skip
VIDEO_CODECS = frozenset((
    "h264", "hevc", "libdav1d", "av1", "vp8", "vp9", "libvpx", "libvpx-vp9", "mpeg4", "mpeg2video", "mpeg1video",
    "h263", "mjpeg", "prores", "dnxhd", "dvvideo", "cfhd", "theora", "wmv1", "wmv2", "wmv3", "vc1", "msmpeg4v2",
    "msmpeg4", "flv", "ffv1", "ffvhuff", "huffyuv", "utvideo", "qtrle", "png", "rawvideo", "v210",
))  # fmt: skip
AUDIO_CODECS = frozenset((
    "aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "mp1", "mp1float", "ac3", "eac3", "dca", "opus", "libopus",
    "vorbis", "flac", "alac", "speex", "amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "wmav1", "wmav2",
    "wmapro", "wmalossless", "adpcm_ima_wav", "adpcm_ms", "adpcm_ima_qt", "pcm_alaw", "pcm_mulaw", "pcm_bluray",
    "pcm_dvd", "pcm_f32be", "pcm_f32le", "pcm_f64be", "pcm_f64le", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le",
    "pcm_s32be", "pcm_s32le", "pcm_s8", "pcm_u8", "pcm_s16be_planar", "pcm_s16le_planar",
))  # fmt: skip
ENDINGS = (".ts", ".mts", ".m2ts", ".mxf", ".dv", ".caf", ".mkv")  # of names whose kind browsers do not know
PICTURES = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "BMP", "TIFF")  # as Pillow names them

HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")  # of the other picture formats
HEAD = 32  # bytes that tell a picture from other files
GREY = 128  # what shows through a transparent picture: neutral, so that it is neither day nor night

MAX_SIDES = (4096, 2304)  # pixels, longer and shorter side of a video or an animation
MAX_PIXELS = 64 * 1000**2  # of a photograph: phones take up to 50 megapixels
MAX_STREAMS = 64
MAX_CHANNELS = 16

PROBE_SECONDS = 15  # s, wall clock: a description needs milliseconds
DECODE_SECONDS = 120  # s, wall clock: 60 s of 4K video decode in about 30 s on two cores
CPU_FLOOR, CPU_PER_MEGABYTE = 15, 4  # s a child may compute: a small file that needs long is no recording
MEMORY = 2 * 1024**3  # bytes of address space; 4K HEVC in 10 bits needs about half, most of it never touched
FILM_BYTES = 1024**3  # a child that writes a film stops here

CORES = os.cpu_count() or 1


def is_picture(head: bytes) -> bool:
    """Whether the first 32 bytes of a file are those of a picture format."""
    if head[4:8] == b"ftyp":
        return head[8:12] in HEIF_BRANDS
    return head.startswith(SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def cpu_seconds(size: int) -> int:
    """How long a child may compute over a file of `size` bytes, in CPU seconds of all its threads."""
    return int(min(DECODE_SECONDS * 2, CPU_FLOOR + CPU_PER_MEGABYTE * size / 1e6))


def confine(cpu: int, descriptors: int, written: int) -> None:
    """Take from the calling process what decoding does not need; nothing of it can be undone.

    cpu: seconds it may still compute. descriptors: how many files may be open; with those that are, no file can be
    opened and no socket made. written: bytes it may write into files (pipes don't count).
    """
    spent = resource.getrusage(resource.RUSAGE_SELF)
    cpu += int(spent.ru_utime + spent.ru_stime) + 1
    for what, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_NOFILE, descriptors),
    ):
        try:
            hard = resource.getrlimit(what)[1]
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            # one more second until the end of all patience: at the first limit a signal says what happened
            last = limit + 1 if what == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else limit
            resource.setrlimit(what, (limit, last))
        except (ValueError, OSError):  # macOS refuses some of them: the parent's clock still stands
            continue
