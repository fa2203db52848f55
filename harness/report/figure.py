"""A figure that a notebook shows by itself, whether or not it has loaded matplotlib's own support."""

import io

from matplotlib.figure import Figure

from timetrial.harness.report.style import plotting


class Plot(Figure):
    """What the plots of a report are drawn on."""

    def _repr_svg_(self) -> str:
        text = io.StringIO()
        with plotting():
            self.savefig(text, format="svg", metadata={"Date": None})
        return text.getvalue()
