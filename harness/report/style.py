"""How plots look: one style file for a paper's column, and what a slide needs beyond it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

STYLE_FILE = Path(__file__).with_name("timetrial.mplstyle")
TALK = {
    "figure.figsize": (10.0, 5.6),
    "font.size": 16,
    "axes.titlesize": 16,
    "axes.labelsize": 16,
    "figure.titlesize": 16,
    "legend.fontsize": 14,
    "xtick.labelsize": 14,
    "ytick.labelsize": 14,
    "lines.linewidth": 2.5,
    "lines.markersize": 8,
}


@contextlib.contextmanager
def plotting(style: str = "paper") -> Iterator[None]:
    """Make figures in the project's style while this is open, for "paper" (3.3 inches wide) or "talk"."""
    import matplotlib.style

    with matplotlib.style.context([STYLE_FILE, TALK if style == "talk" else {}]):
        yield
