"""No figure stands in a page, or in the command, that a command did not measure."""

from pathlib import Path

import pytest

from bench import page


@pytest.mark.parametrize("path", [page.PAGE, page.SCALE, page.COSTS], ids=lambda path: path.name)
def test_what_is_told_is_made_of_the_figures(path: Path) -> None:
    assert path.read_text() == page.render()[path], "make benchmarks"
