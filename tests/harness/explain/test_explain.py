"""The verb: its list, its options and its files; and the training loop that experiments and notebooks share."""

import dataclasses

import pandas
import pytest
import torch

from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.explain import experiment, gallery
from timetrial.harness.explain.loop import Training, find_workload
from timetrial.harness.workload import DataSource


def test_alone_it_lists_the_experiments_with_a_line_each(capsys):
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(experiment.EXPERIMENTS)


@pytest.mark.parametrize("name", experiment.EXPERIMENTS)
def test_every_experiment_has_options_that_can_be_read(name):
    module = experiment.find_experiment(name)
    defaults = module.Options()
    assert experiment.command(name, defaults) == f"timetrial explain {name}"
    assert experiment.read_options(module.Options, ["seed=3"])[0] == dataclasses.replace(defaults, seed=3)


@pytest.mark.parametrize(
    "given, told",
    [
        (["norm"], "did you mean norms?"),
        (["norms", "sizes"], "write key=value"),
        (["norms", "size=3"], "did you mean sizes?"),
        (["norms", "rows=many"], "rows is 'many'"),
        (["norms", "rows=-1"], "rows is '-1'"),
        (["norms", "seed=1", "seed=2"], "given twice"),
        (["norms", "data=other"], "choose real or synthetic"),
        (["norms", "--gallery"], "give no name"),
        (["trajectories", "submission=nobody"], "nobody"),
        (["landscape", "submission=adamw"], "submission is adamw: name the two to compare, submission=[A,B]"),
        (["adam_gap", "submission=[sgd,adam,adamw]"], "submission=[A,B]"),
        (["landscape", "submission=[adamw,adamw]"], "submission=[A,B]"),
        (["grokking", "every=0"], "every is '0': give a number of at least 1"),
        (["grokking", "steps=20", "every=30"], "every is 30, and there are 20 steps"),
        (["batch_size", "batch_sizes=32"], "give at least two"),
        (["dynamics", "suite=quickstart", "data=synthetic", "role=matrix"], "small_gpt has embedding"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(given, told, capsys):
    assert main(["explain", *given]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


@pytest.mark.parametrize("given, read", [("mine", ("mine",)), ("[mine,adamw]", ("mine", "adamw"))])
def test_submissions_are_named_as_for_a_run(given, read):
    options, _ = experiment.read_options(experiment.find_experiment("trajectories").Options, [f"submission={given}"])
    assert options.submission == read


def test_an_experiment_writes_figure_numbers_and_paragraph_and_the_gallery_shows_them(tmp_path, capsys):
    output = tmp_path / "norms"
    assert main(["explain", "norms", "sizes=[16,8]", f"output={output}"]) == 0
    paragraph = (output / "seen.md").read_text()
    assert paragraph in capsys.readouterr().out
    head = (output / "data.csv").read_text().splitlines()[:2]
    assert head[0] == "# timetrial explain norms 'sizes=[16,8]'" and "torch 2" in head[1]
    assert len(pandas.read_csv(output / "data.csv", comment="#")) > 100
    assert (output / "figure.svg").stat().st_size < 200_000
    page = gallery.write_gallery(tmp_path).read_text()
    assert paragraph.strip() in page and "norms/figure.svg" in page and "norms 'sizes=[16,8]'" in page


def test_a_folder_that_cannot_be_made_is_named_before_the_experiment(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment.find_experiment("norms"), "run", lambda options: pytest.fail("it ran"))
    (tmp_path / "file").touch()
    assert main(["explain", "norms", f"output={tmp_path / 'file'}"]) == 2
    assert "file: cannot be made (File exists): name another folder" in capsys.readouterr().err


def test_an_experiment_has_one_thread_as_a_trial_has(tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        main(["explain", "norms", "sizes=8", f"output={tmp_path}"])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_an_empty_gallery_says_what_makes_one(tmp_path):
    with pytest.raises(UsageError, match="timetrial explain NAME"):
        gallery.write_gallery(tmp_path)


def test_the_loop_gives_the_same_run_for_a_seed_and_lowers_the_loss():
    workload = find_workload("quickstart", "fashion_mnist_mlp")
    losses = []
    for seed in (1, 1, 2):
        training = Training(workload, "adamw", steps=30, source=DataSource("synthetic"), seed=seed)
        losses.append([training.loss for _ in training.run(30)])
    assert losses[0] == losses[1] != losses[2]
    assert losses[0][-1] < 0.8 * losses[0][0]
