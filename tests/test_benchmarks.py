"""No figure stands in the page of benchmarks that a command did not measure."""

from bench import page


def test_the_page_is_made_of_the_figures() -> None:
    assert page.PAGE.read_text() == page.render(), "make benchmarks"
