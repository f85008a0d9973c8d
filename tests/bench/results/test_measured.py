"""Shipped tables: where they lie, and that they are known as outdated under other weights."""

from demo.bench.results import measured
from demo.pages import methods_markup as markup
from models.omni import ALIGNED, BASE


def test_what_is_not_there_is_said(tmp_path):
    assert measured.read_folder(tmp_path) == (None, None)
    assert "bench keep" in markup.shipped_methods(None) and "bench keep" in markup.shipped_curves(None)
    assert measured.folder_of("owner/model").name == "measured" and "/owner_model/" in str(
        measured.folder_of("owner/model")
    )


def test_other_weights_make_numbers_outdated():
    about = {"adapters": {BASE: "aa", ALIGNED: "bb"}}
    assert not measured.outdated(about, {BASE: "aa", ALIGNED: "bb"})
    assert measured.outdated(about, {BASE: "aa", ALIGNED: "cc"})
    assert not measured.outdated({}, {BASE: "aa"})
