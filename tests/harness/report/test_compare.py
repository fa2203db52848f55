import re

from timetrial.harness.cli import main


def test_a_clear_difference_is_said_with_its_interval(run_folder, capsys):
    assert main(["compare", str(run_folder), "muon", "adamw"]) == 0
    out = capsys.readouterr().out
    said = re.search(r"muon reaches the target ([\d.]+)x \(([\d.]+) to ([\d.]+)\) sooner than adamw on small_gpt", out)
    value, low, high = map(float, said.groups())
    assert 1 < low <= value <= high


def test_the_order_of_the_names_does_not_change_who_is_sooner(run_folder, capsys):
    main(["compare", str(run_folder), "adamw", "muon"])
    assert "muon reaches the target" in capsys.readouterr().out


def test_what_cannot_be_told_apart_is_said_to_be_so(run_folder, capsys):
    main(["compare", str(run_folder), "adamw", "nadamw"])
    assert "they are not distinguishable" in capsys.readouterr().out


def test_a_miss_is_no_number(run_folder, capsys):
    main(["compare", str(run_folder), "sgd", "adamw"])
    assert "adamw reaches the target and sgd misses it on small_gpt" in capsys.readouterr().out


def test_an_unknown_submission_is_named_with_those_there_are(run_folder, capsys):
    assert main(["compare", str(run_folder), "adamw", "adamv"]) == 2
    assert "'adamv'" in (message := capsys.readouterr().err) and "muon" in message
