"""The page of a ladder: its figure, its table and what they say, in one HTML file without a network."""

import html
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timetrial.harness.judging.ladder import Ladder
from timetrial.harness.planning.places import make_output
from timetrial.harness.records.files import write_atomically
from timetrial.harness.report.colours import line_styles
from timetrial.harness.scoring.present import clock_in_words, with_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #ccc;text-align:left}"
    "svg{max-width:100%;height:auto}"
)


def sentences(ladder: Ladder) -> list[str]:
    """Say what was found, in a few sentences."""
    edges = [f"{rung.submission} at {rung.value:g}" for rung in ladder.rungs if not rung.inside]
    missed = [f"{rung.submission} at {rung.value:g} ({rung.misses})" for rung in ladder.rungs if rung.misses]
    drifts = "; ".join(f"{name} {with_interval(exponent, '{:.2f}')}" for name, exponent in ladder.drifts.items())
    found = [f"Exponent of the best learning rate along {ladder.axis}: {drifts}."]
    if ladder.fit.exponent:
        found.append(
            f"Advantages over {ladder.reference} go with {ladder.axis} to the power "
            f"{with_interval(ladder.fit.exponent, '{:.2f}')}, one exponent for all (p = {ladder.fit.p_value:.2g} for a "
            "worse fit)."
        )
    if ladder.fit.beyond is None:
        found.append(f"Nothing is said beyond these values: {ladder.fit.refusal}.")
    else:
        largest = max(rung.value for rung in ladder.rungs)
        named = ", ".join(f"{name} {advantage:.2f}x" for name, advantage in ladder.fit.beyond.items())
        found.append(f"At {ladder.axis} {2 * largest:g} the fit gives {named}, if nothing else changes there.")
    if edges:
        found.append(f"The best rate is at the edge of its range, so that tuning is not finished: {', '.join(edges)}.")
    if missed:
        found.append(f"Studies that missed the target, whose time is then the end of the plan: {', '.join(missed)}.")
    return found


def table(ladder: Ladder) -> list[list[str]]:
    """Give the table: a heading, and a row for each value and submission."""
    rows = [[ladder.axis, "target", "submission", "best rate", f"advantage over {ladder.reference}", "missed"]]
    for rung in ladder.rungs:
        advantage = "1" if rung.submission == ladder.reference else with_interval(rung.advantage, "{:.2f}x")
        rate = f"{rung.rate:.3g}{'' if rung.inside else ' (edge)'}"
        rows.append(
            [
                *(f"{rung.value:g}", f"{ladder.targets[rung.value]:.4g}", rung.submission, rate, advantage),
                f"{rung.misses} of {ladder.studies}" if rung.misses else "",
            ]
        )
    return rows


def figure(ladder: Ladder) -> "Figure":
    """Draw the advantages with their intervals, and below them the best rates, against the axis."""
    from matplotlib.figure import Figure

    from timetrial.harness.report.plots import factor_ticks

    drawn = Figure(figsize=(4.4, 4.2), layout="constrained")
    above, below = drawn.subplots(2, 1, sharex=True)
    names = dict.fromkeys(rung.submission for rung in ladder.rungs)
    for name, (colour, _) in line_styles(list(names)).items():
        own = [rung for rung in ladder.rungs if rung.submission == name]
        x = [rung.value for rung in own]
        y = np.array([rung.advantage.value for rung in own])
        low, high = (
            np.array([getattr(rung.advantage, end) or rung.advantage.value for rung in own]) for end in ("low", "high")
        )
        above.errorbar(x, y, yerr=[y - low, high - y], marker="o", markersize=3, capsize=2, color=colour, label=name)
        below.plot(x, [rung.rate for rung in own], marker="o", markersize=3, color=colour)
    above.set(xscale="log", yscale="log", ylabel=f"advantage over {ladder.reference}")
    above.yaxis.set_major_locator(factor_ticks(*above.get_ylim()))
    above.yaxis.set_major_formatter("{x:g}x")
    above.minorticks_off()
    below.set(yscale="log", xlabel=ladder.axis, ylabel="best learning rate")
    below.set_xticks([rung.value for rung in ladder.rungs], [f"{rung.value:g}" for rung in ladder.rungs], minor=False)
    below.minorticks_off()
    above.legend(frameon=False)
    return drawn


def write_page(ladder: Ladder, folder: Path) -> list[Path]:
    """Write `ladder.html`, `ladder.json` and `ladder.svg` into a folder, and list them."""
    from timetrial.harness.report.style import plotting

    make_output(folder)
    with plotting():
        buffer = io.StringIO()
        figure(ladder).savefig(buffer, format="svg", metadata={"Date": None})
    picture = buffer.getvalue()
    title = f"{ladder.workload} along {ladder.axis}"
    head, *rows = [[html.escape(cell) for cell in row] for row in table(ladder)]
    lines = ["".join(f"<th>{cell}</th>" for cell in head)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>TimeTrial: {html.escape(title)}</title>'
        f"<style>{STYLE}</style>\n<h1>{html.escape(title)}</h1>\n<p>By {clock_in_words(ladder.clock)}, "
        f"{ladder.studies} paired studies at each value, {ladder.core_seconds / 60:.1f} core-minutes. "
        f"Brackets and bars: 95 % intervals over studies.</p>\n{picture[picture.index('<svg') :]}\n<table>"
        + "".join(f"<tr>{line}</tr>\n" for line in lines)
        + "</table>\n"
        + "".join(f"<p>{html.escape(sentence)}</p>\n" for sentence in sentences(ladder))
        + "</html>\n"
    )
    files = {
        "ladder.html": page,
        "ladder.svg": picture,
        "ladder.json": json.dumps({**asdict(ladder), "run": Path(ladder.run).name}, indent=1, allow_nan=False) + "\n",
    }
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]
