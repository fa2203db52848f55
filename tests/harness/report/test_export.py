"""`timetrial export`: what each tool's own reader finds in what was written."""

import json
import struct
from collections.abc import Iterator

import pandas
import pytest

from tests.harness.report.generator import Algorithm, write_run
from timetrial.harness.cli import main
from timetrial.harness.records.evaluations import read_evaluations
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.runs.folder import RunFolder

TRIAL = "muon/external/small_gpt/study_1/trial_0"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one submission: two studies of two trials on four workloads, one of which crashed."""
    path = tmp_path_factory.mktemp("runs") / "exported"
    broken = {("cifar_resnet", 1, 1): "crashed"}
    write_run(path, [Algorithm("muon", 1.5, statuses=broken)], studies=2, trials=2)
    return path


def exported(run, to, folder):
    assert main(["export", str(run), "--to", to, "--output", str(folder)]) == 0
    return TrialFolder(run / TRIAL).read_evaluations()


@pytest.mark.parametrize(("to", "read"), [("csv", pandas.read_csv), ("parquet", pandas.read_parquet)])
def test_the_tables_hold_every_trial_and_every_evaluation(run, to, read, tmp_path, capsys):
    evaluations = exported(run, to, tmp_path)
    assert capsys.readouterr().out.split() == [str(tmp_path / f"trials.{to}"), str(tmp_path / f"evaluations.{to}")]
    trials, curves = read(tmp_path / f"trials.{to}"), read(tmp_path / f"evaluations.{to}")
    assert len(trials) == 16 and (trials["status"] == "crashed").sum() == 1
    spec = TrialFolder(run / TRIAL).read_spec()
    (row,) = trials[trials["path"] == str(run / TRIAL)].to_dict("records")
    for name, value in spec.hyperparameters.items():
        assert row[f"hyperparameter_{name}"] == pytest.approx(value)
    mine = curves[(curves["workload"] == "small_gpt") & (curves["study"] == 1) & (curves["trial"] == 0)]
    assert list(mine["step"]) == [each.step for each in evaluations]
    assert list(mine["validation_loss"]) == pytest.approx([each.validation["loss"] for each in evaluations])
    assert len(curves) == trials["n_evals"].sum() == len(read_evaluations([RunFolder(run)]))


def test_a_hyperparameter_that_is_a_word_in_one_trial_and_a_number_in_another_is_text(tmp_path):
    run = write_run(tmp_path / "run", [Algorithm("muon")], studies=2, trials=2).path
    spec = run / "muon/external/small_gpt/study_1/trial_0/spec.json"
    content = json.loads(spec.read_text())
    content["hyperparameters"]["learning_rate"] = "auto"
    spec.write_text(json.dumps(content))
    exported(run, "parquet", tmp_path)
    rates = pandas.read_parquet(tmp_path / "trials.parquet")["hyperparameter_learning_rate"]
    assert (rates == "auto").sum() == 1 and all(float(rate) > 0 for rate in rates if rate != "auto")


def test_tensorboards_own_reader_opens_what_was_written(run, tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    evaluations = exported(run, "tensorboard", tmp_path)
    assert len(list(tmp_path.rglob("events.out.tfevents.*"))) >= 16
    events = reader.EventAccumulator(str(tmp_path / TrialFolder(run / TRIAL).read_spec().suite / TRIAL)).Reload()
    losses = events.Scalars("validation/loss")
    assert [event.step for event in losses] == [round(each.step) for each in evaluations]
    assert [event.value for event in losses] == pytest.approx([each.validation["loss"] for each in evaluations])
    clock = [each.seconds if each.paced_seconds is None else each.paced_seconds for each in evaluations]
    relative = [event.wall_time - losses[0].wall_time + clock[0] for event in losses]
    assert relative == pytest.approx(clock, abs=1e-3), "the axis of time is the clock of the trial"
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_wandbs_offline_files_hold_hyperparameters_curves_and_the_outcome(run, tmp_path):
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    evaluations = exported(run, "wandb", tmp_path)
    (file,) = [file for file in tmp_path.glob("wandb/offline-run-*/*.wandb") if TRIAL.encode() in file.read_bytes()]
    records = [messages.Record.FromString(record) for record in records_of(file.read_bytes())]
    (started,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    config = {item.key: json.loads(item.value_json) for item in started.config.update}
    assert config["submission"] == "muon" and config["study"] == 1 and started.display_name.endswith(TRIAL)
    assert any(name.startswith("hyperparameters/") for name in config)
    rows = [_items(record.history.item) for record in records if record.WhichOneof("record_type") == "history"]
    assert [row["validation/loss"] for row in rows] == [each.validation["loss"] for each in evaluations]
    assert [row["_step"] for row in rows] == [round(each.step) for each in evaluations]


def records_of(content: bytes) -> Iterator[bytes]:
    """Read a log of LevelDB, as wandb's offline files are: blocks of 32 KiB, with pieces of records after 7 bytes."""
    assert content.startswith(b":W&B")
    at, record = 7, b""
    while at < len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", content, at)
        record += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield record
            record = b""


def _items(items) -> dict:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def test_old_records_never_stand_beside_new_ones(run, tmp_path, capsys):
    (tmp_path / "old").touch()
    assert main(["export", str(run), "--to", "tensorboard", "--output", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_form_that_is_none_and_a_library_that_is_missing_are_one_line(run, tmp_path, capsys, monkeypatch):
    assert main(["export", str(run), "--to", "excel"]) == 2
    assert "choose one of csv, parquet, tensorboard, wandb" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    assert main(["export", str(run), "--to", "wandb", "--output", str(tmp_path / "new")]) == 2
    assert "pip install 'timetrial[wandb]'" in capsys.readouterr().err


def test_committed_results_are_exported_like_a_run(tmp_path):
    from timetrial.harness.planning.places import RESULTS

    entry = RESULTS / "miniature/self_tuning/adamw"
    assert main(["export", str(entry), "--to", "csv", "--output", str(tmp_path)]) == 0
    assert set(pandas.read_csv(tmp_path / "evaluations.csv")["submission"]) == {"adamw"}
