"""The command line itself: every verb has help, options stand anywhere, and a wrong word is named in a line."""

import pytest

from timetrial.harness.cli import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_an_example(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    help_text = capsys.readouterr().out
    assert stop.value.code == 0 and f"usage: timetrial {verb} " in help_text and "example: timetrial" in help_text


def test_options_may_stand_between_overrides(capsys):
    for words in (
        ["suite=quickstart", "--adamw-only", "data=nonsense"],
        ["--adamw-only", "suite=quickstart", "data=nonsense"],
    ):
        assert main(["calibrate", *words]) == 2
        assert "data is 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "named"), [([], "VERB"), (["ran"], "'ran'"), (["run", "--nonsense"], "--nonsense")])
def test_a_wrong_word_is_named(words, named, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "remedy"),
    [
        ("suite=quickstart", "write submission=NAME"),
        ("studies=2", "write ruleset.studies=2"),
        ("submission=adamw,muon", "write submission=[adamw,muon]"),
        ("submission=[adamw", "a bracket is missing"),
        ("submission=./my ÿ.py", "quote a value with spaces or signs twice"),
        ("submision=adamw", "did you mean submission=?"),
        ("space.lr=0.1", "write +space.lr=0.1"),
        ("suite='minni'", "unknown suite 'minni': did you mean mini?"),
    ],
)
def test_an_override_that_hydra_does_not_take_has_its_remedy(override, remedy, capsys):
    assert main(["run", override]) == 2
    assert remedy in capsys.readouterr().err


def test_the_steps_of_a_ladder_are_its_own(capsys):
    ladder = ["ladder", "submission=[adamw,muon]", "workload=small_gpt", "axis=width", "values=[16,32]"]
    assert main([*ladder, "max_steps=60"]) == 2
    assert "max_steps=60: only timetrial run takes this" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["judge", "muon"],
        ["ablate", "muon"],
        ["ladder", "submission=[adamw,muon]", "workload=small_gpt", "axis=width", "values=[16,32]"],
        ["price", "results/mini/self_tuning"],
        ["calibrate", "suite=mini"],
    ],
)
@pytest.mark.parametrize(
    "override", ["run=mine", "reference=muon", "+reference_studies=2", "ruleset.studies=2", "+space.lr=1"]
)
def test_a_key_that_would_change_nothing_is_refused(words, override, capsys):
    assert main([*words, override]) == 2
    assert f"{override}: only timetrial run takes this" in capsys.readouterr().err


def test_a_price_is_of_the_board_as_it_is(capsys):
    assert main(["price", "results/mini/self_tuning", "workloads=[small_gpt]"]) == 2
    assert "workloads=: that is as it was on the board; timetrial price takes ruleset" in capsys.readouterr().err
