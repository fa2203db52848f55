"""Plots of a leaderboard: nothing cut off, nothing told by colour alone, and what they draw is what was scored."""

from dataclasses import replace
from io import BytesIO

import pytest

from tests.harness.scoring.tables import INF, random_table
from timetrial.harness.report import plots
from timetrial.harness.report.style import plotting
from timetrial.harness.scoring import Leaderboard, score_table

FRAME = "mini · external · 5 studies · AMD EPYC 9B14, 2 threads"
PLOTS = (plots.plot_profiles, plots.plot_scores, plots.plot_speedups, plots.plot_times, plots.plot_tuning)


def standings(submissions: int, workloads: int = 4) -> Leaderboard:
    """Draw submissions of which the last misses a target."""
    spreads = {f"schedule_free_{place}": 1 + place / 2 for place in range(submissions)}
    trials = random_table(0, spreads, workloads)
    missed = (trials["submission"] == f"schedule_free_{submissions - 1}") & (trials["workload"] == "workload_1")
    trials.loc[missed, "time_to_target"] = INF
    return score_table(trials, reference="schedule_free_0")


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("submissions", [1, 3, 12])
@pytest.mark.parametrize("style", ["paper", "talk"])
def test_no_text_is_cut_off(plot, submissions: int, style: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with plotting(style):
        figure = plot(standings(submissions), FRAME)
        FigureCanvasAgg(figure).draw()
        whole = figure.bbox
        for text in figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_visible()):
            if text.get_text():
                box = text.get_window_extent()
                assert box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1, text.get_text()
                assert box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1, text.get_text()


@pytest.mark.parametrize("plot", PLOTS)
def test_a_paper_figure_is_one_column_wide(plot) -> None:
    with plotting("paper"):
        assert plot(standings(6), FRAME).get_figwidth() == pytest.approx(3.3)


def test_lines_differ_by_dash_or_marker_without_colour() -> None:
    with plotting():
        lines = plots.plot_profiles(standings(8), FRAME).axes[0].get_lines()
    assert len({(str(line._dash_pattern), line.get_marker()) for line in lines}) == 8


@pytest.mark.parametrize("plot", [plots.plot_profiles, plots.plot_tuning])
def test_of_many_the_best_and_the_reference_are_told_apart_and_the_others_are_grey(plot) -> None:
    many = standings(12)
    many = replace(many, reference=many.standings[-1].submission)
    with plotting():
        figure = plot(many, FRAME)
    named = [text.get_text().partition(" (")[0] for text in figure.legends[0].get_texts()]
    best = [standing.submission for standing in many.standings[:8]]
    assert sorted(named) == sorted([*best, many.reference, "3 others"])
    assert [line.get_color() for line in figure.axes[0].get_lines()].count("#bbbbbb") == 3


def test_misses_are_hatched_and_named() -> None:
    with plotting():
        axes = plots.plot_times(standings(3), FRAME).axes[0]
    assert [patch.get_hatch() for patch in axes.patches] == ["////"]
    assert "missed" in [text.get_text() for text in axes.texts]


def test_profile_line_goes_through_the_profile() -> None:
    scored = standings(3)
    with plotting():
        line = plots.plot_profiles(scored, FRAME).axes[0].get_lines()[1]
    profile = scored.standings[1].profile
    assert line.get_xdata().tolist() == [*profile.taus, 4.0]
    assert line.get_ydata().tolist() == [*profile.rhos, profile.rhos[-1]]


def test_the_same_numbers_give_the_same_bytes() -> None:
    def drawn() -> bytes:
        with plotting():
            file = BytesIO()
            plots.plot_scores(standings(3), FRAME).savefig(file, format="svg", metadata={"Date": None})
            return file.getvalue()

    assert drawn() == drawn()
