"""The picture in the README is what the package draws."""

from __future__ import annotations

from tools.timeline_picture import PICTURE, draw


def test_picture_in_the_documentation_is_what_timeline_draws():
    assert PICTURE.read_text() == draw()  # otherwise: python -m tools.timeline_picture
