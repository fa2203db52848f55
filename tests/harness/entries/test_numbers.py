import re

import pytest

from tests.harness.entries.conftest import BOARD, check_fails_naming
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.entries.committed import committed_results, read_roots
from timetrial.harness.entries.numbers import MARK, boards_by_name, files_with_numbers, find_wrong_numbers
from timetrial.harness.entries.quantities import compute
from timetrial.harness.planning import places
from timetrial.harness.planning.places import RESULTS
from timetrial.harness.report.boards import read_boards


@pytest.fixture(scope="module")
def boards(pristine):
    return boards_by_name(read_boards([committed_results(pristine)]))


@pytest.fixture(scope="module")
def rows(boards):
    return boards[BOARD].trials


def text_with(*marks):
    return "Somebody " + " and ".join(f"found <!--= {asked}-->{said}<!--/-->" for asked, said in marks) + ".\n"


def test_numbers_are_inserted_and_pass_the_check_until_one_is_edited(results, capsys):
    readme = results / "README.md"
    readme.write_text(text_with((f"trials {BOARD}", "?"), (f"submissions {BOARD}", "?")))
    assert main(["submit", "--rewrite"]) == 0
    assert [mark["said"] for mark in MARK.finditer(readme.read_text())] == ["48", "2"]
    assert main(["submit", "--check"]) == 0
    readme.write_text(readme.read_text().replace(">48<", ">84<"))
    check_fails_naming(capsys, "README.md line 1", f"trials {BOARD} is '48' in the records, and '84' here")


def test_a_new_entry_changes_the_numbers_and_says_so(results, capsys):
    readme = results.parent / "README.md"
    readme.write_text(text_with((f"dates {BOARD}", "yesterday")))
    assert main(["submit", "sgd", str(results / "runs/first")]) == 0
    assert "yesterday" not in readme.read_text() and f"numbers in {readme}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked, complaint",
    [
        (f"scoer {BOARD} sgd", "no quantity 'scoer'"),
        (f"score {BOARD}", "missing a required argument: 'submission'"),
        ("score nowhere/external sgd", f"no leaderboard 'nowhere/external': there are {BOARD}"),
        (f"score {BOARD} nobody", "nobody"),
        (f"time {BOARD} sgd nowhere", "nowhere"),
        (f"drawn {BOARD} sgd small_gpt nothing least", "nothing"),
        (f"step {BOARD} sgd small_gpt middling", "middling"),
        (f"rerun {BOARD} sgd", "verification of sgd"),
        (f"agreement {BOARD} nowhere", "nowhere"),
        (f"forecast {BOARD} nothing {BOARD}", "nothing.json"),
    ],
)
def test_what_the_records_do_not_have_is_named_with_its_line(boards, tmp_path, asked, complaint):
    file = tmp_path / "README.md"
    file.write_text("A title\n\n" + text_with((asked, "1")))
    (problem,) = find_wrong_numbers(file, boards)
    assert f"{file} line 3" in problem and complaint in problem
    with pytest.raises(UsageError):
        compute(asked, boards)


def test_a_mark_that_begins_a_line_or_does_not_end_is_found(boards, tmp_path):
    file = tmp_path / "README.md"
    for before in ("", "- ", "> "):
        file.write_text(f"{before}<!--= submissions {BOARD}-->2<!--/--> were there.\n")
        assert "begins the line" in find_wrong_numbers(file, boards)[0]
    file.write_text(f"There were <!--= submissions {BOARD}-->2 of them.\n")
    assert "alone" in find_wrong_numbers(file, boards)[0]


def test_quantities_say_what_the_table_of_trials_says(boards, rows):
    own = rows[(rows["submission"] == "sgd") & (rows["workload"] == "small_gpt")]
    reached = own[own["status"] == "target_reached"]
    assert compute(f"reached {BOARD} sgd small_gpt", boards) == f"{len(reached)} of {len(own)}"
    standing = boards[BOARD].scores.of("sgd").workloads["small_gpt"]
    assert compute(f"time {BOARD} sgd small_gpt", boards) == f"{standing.value.value:.2f} s"
    milliseconds = 1000 * own["last_seconds"] / own["last_step"]
    assert compute(f"step {BOARD} sgd small_gpt least", boards) == f"{milliseconds.min():.1f} ms"
    points = [boards[BOARD].folders[path].read_spec().hyperparameters for path in own["path"]]
    least = min(point["learning_rate"] * point["weight_decay"] for point in points)
    assert compute(f"drawn {BOARD} sgd small_gpt learning_rate*weight_decay least", boards) == f"{least:.2g}"


def test_the_fastest_is_whom_the_times_say(boards, rows):
    standings = boards[BOARD].scores.standings
    first = min(standings, key=lambda s: s.workloads["cifar_resnet"].value.value).submission
    assert compute(f"fastest {BOARD} cifar_resnet", boards) == f"`{first}`"


def test_a_board_agrees_with_itself(boards, results):
    with pytest.raises(UsageError, match="share 2 submissions: an order needs 3"):
        compute(f"agreement {BOARD} {BOARD}", boards)
    board = "mini/external"
    committed = boards_by_name(read_boards([committed_results(RESULTS / board)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "RESULTS", RESULTS)
        for clock in ("", "steps"):
            said = compute(f"agreement {board} {board} {clock}", committed)
            assert "tau is +1.00" in said and "in the median, and at most of 1.00" in said and said[-1] != "."


def test_a_table_is_the_beginning_of_the_leaderboard(boards, results):
    table = compute(f"table {BOARD} 1", boards).strip()
    assert len(table.splitlines()) == 3 and table in (results / BOARD / "leaderboard.md").read_text()


def test_the_numbers_in_the_committed_texts_are_those_of_the_committed_records():
    for root, results in read_roots(RESULTS).items():
        boards = boards_by_name(read_boards([results]))
        files = files_with_numbers(root)
        assert root / "README.md" in files
        assert [problem for file in files for problem in find_wrong_numbers(file, boards)] == []


def test_every_number_in_what_was_found_stands_between_marks():
    text = (RESULTS / "README.md").read_text()
    found = text[text.index("## What was found") : text.index("### A rate that grows")]
    found += (RESULTS / "version_2" / "README.md").read_text()
    assert len(MARK.findall(found)) > 50
    words = re.sub(r"`[^`]*`|\]\([^)]*\)", "", MARK.sub("", found))
    assert re.findall(r"(?<![A-Za-z])\d[\d.,:-]*", words) == ["95"]  # per cent: what brackets hold
