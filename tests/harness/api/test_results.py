"""Results from Python are the numbers of the verbs, and say what they need where that is not clear."""

import io

import pandas
import pytest
from matplotlib.figure import Figure

import timetrial
from tests.harness.report.generator import FIELD, write_run
from timetrial.harness.cli import main
from timetrial.harness.planning.places import RESULTS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "first"
    write_run(path, FIELD[:3], studies=2, trials=2)
    return path


@pytest.fixture(scope="module")
def results(run):
    return timetrial.read(run)


def test_the_leaderboard_has_the_numbers_of_score(run, results, capsys):
    assert main(["score", str(run), "--format", "csv"]) == 0
    printed = pandas.read_csv(io.StringIO(capsys.readouterr().out))
    pandas.testing.assert_frame_equal(
        results.leaderboard.reset_index(drop=True).fillna(float("nan")).replace("", float("nan")).infer_objects(),
        printed,
        check_dtype=False,
    )


def test_a_committed_leaderboard_is_read_like_a_run():
    board = RESULTS / "miniature" / "self_tuning"
    results = timetrial.read(board / "adamw", board / "muon")
    assert set(results.trials["submission"]) == {"adamw", "muon"}
    assert len(results.curves) == results.trials["n_evals"].sum()
    assert results.curves.groupby(["submission", "workload", "study"]).size().min() > 1


def test_every_plot_that_is_named_is_a_figure(results):
    names = results.plots()
    assert {"speedup", "performance_profile", "tuning_curves", "training_curves_small_gpt"} <= set(names)
    figure = results.plot("speedup", style="talk")
    assert isinstance(figure, Figure) and "<svg" in figure._repr_svg_()
    with pytest.raises(timetrial.UsageError, match="there is no plot 'speed': choose of speedup"):
        results.plot("speed")


def test_the_sentence_of_a_comparison_is_that_of_the_verb(run, results, capsys):
    assert main(["compare", str(run), "muon", "adamw"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert repr(results.compare("muon", "adamw")).splitlines()[-1] == said
    with pytest.raises(timetrial.UsageError, match="no submission 'adamv' here: there are"):
        results.compare("muon", "adamv")


def test_it_shows_itself_in_a_terminal_and_in_a_notebook(results):
    assert "speed-up over adamw" in repr(results)
    (table,) = pandas.read_html(io.StringIO(results._repr_html_()))
    assert list(table["submission"]) == list(results.leaderboard["submission"])


def test_where_there_are_several_leaderboards_one_is_named():
    boards = RESULTS / "version_2" / "mini"
    both = timetrial.read(boards / "external" / "lion", boards / "self_tuning" / "adamw")
    with pytest.raises(timetrial.UsageError, match=r"2 leaderboards fit .* there are suite='mini' ruleset='external',"):
        both.plots()
    assert "performance_profile" in both.plots(ruleset="external")


def test_two_that_are_not_on_one_leaderboard_are_not_compared(results, monkeypatch):
    monkeypatch.setattr(type(results), "comparisons", lambda *_: [])  # as where both are on another leaderboard alone
    with pytest.raises(timetrial.UsageError, match="muon and adamw are not both on mini/external"):
        results.compare("muon", "adamw")


def test_reading_nothing_is_an_error():
    with pytest.raises(timetrial.UsageError, match="nothing to read"):
        timetrial.read()
