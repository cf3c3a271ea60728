"""Plots of measurements, as SVG files beside their JSON."""

from collections.abc import Mapping, Sequence

import matplotlib

from bench.report import FIGURES

matplotlib.use("svg")
# The same figures give the same file.
matplotlib.rcParams |= {"svg.hashsalt": "seating", "svg.fonttype": "none", "font.size": 9}

from matplotlib import pyplot as plt  # noqa: E402


def bars(name: str, label: str, values: Mapping[str, float]) -> str:
    figure, axes = plt.subplots(figsize=(8, 0.4 * len(values) + 1))
    drawn = axes.barh(list(values), list(values.values()), color="#3b6ea5")
    axes.bar_label(drawn, fmt="%.0f", padding=3)
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    return _written(figure, name)


def lines(name: str, labels: tuple[str, str], series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """`labels` are of the axes; each of `series` is a line through its points. The first axis is logarithmic."""
    figure, axes = plt.subplots(figsize=(6, 3))
    for label, points in series.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.set_xscale("symlog")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.legend()
    return _written(figure, name)


def over_time(name: str, label: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Each of `series` has a value at each of many moments, in s since the opening; both axes are logarithmic."""
    figure, axes = plt.subplots(figsize=(6, 3))
    for title, points in series.items():
        axes.plot(*zip(*points, strict=True), label=title)
    axes.set_xscale("symlog")
    axes.set_yscale("symlog")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds since the opening")
    axes.set_ylabel(label)
    axes.legend()
    return _written(figure, name)


def _written(figure: "plt.Figure", name: str) -> str:
    """The file's name."""
    FIGURES.mkdir(exist_ok=True)
    figure.savefig(FIGURES / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return f"{name}.svg"
