"""Cheats that reach for what a trainee must not have: files, memory, processes, the network, the future."""

import json
import os
import socket
from pathlib import Path

import pytest

from tests.harness.trial.tiny import HONEST
from timetrial.harness.trial import isolation

STANDS = isolation.available()


def needs(what: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        what not in STANDS, reason=f"this machine cannot keep {what} from a trainee; results say so"
    )


needs_files = needs(isolation.FILES)


@needs_files
def test_the_data_and_results_cannot_be_read(says, tmp_path) -> None:
    secret = tmp_path / "validation.npz"
    secret.write_text("the answers")
    assert "refused" in says(f"tell(open({str(secret)!r}).read())")


@needs_files
@pytest.mark.parametrize("folder", ["results", "tests", "configs", "workloads", "submissions", ".git"])
def test_the_clone_shows_its_code_and_nothing_else(folder, says) -> None:
    assert "refused" in says(f"tell(os.listdir({str(isolation.CODE / folder)!r}))")


@needs_files
def test_the_results_cannot_be_written(says, tmp_path) -> None:
    says(f"open({str(tmp_path / 'trial' / 'result.json')!r}, 'w').write('target_reached')")
    assert json.loads((tmp_path / "trial" / "result.json").read_text())["status"] == "budget_exhausted"
    assert "refused" in (tmp_path / "trial" / "trainee.log").read_text()


@needs_files
def test_a_checkpoint_cannot_be_deleted_nor_a_record_changed(says, tmp_path) -> None:
    said = says(
        f"[os.unlink(os.path.join({str(tmp_path)!r}, 'trial', name)) for name in ('evals.jsonl', 'checkpoint.pt')]"
    )
    assert "refused" in said
    assert len((tmp_path / "trial" / "evals.jsonl").read_text().splitlines()) == 3


@needs_files
@pytest.mark.parametrize("file", ["mem", "maps", "environ", "cmdline", "fd"])
def test_the_memory_of_the_referee_cannot_be_read(file, says) -> None:
    place = f"/proc/{os.getpid()}/{file}"
    line = f"tell(os.listdir({place!r}))" if file == "fd" else f"tell(open({place!r}, 'rb').read(64))"
    assert "refused" in says(line)


@needs(isolation.OTHERS)
def test_the_referee_and_what_the_trainee_was_started_by_cannot_be_killed(says) -> None:
    assert "REACHED" not in says(f"os.kill({os.getpid()}, 9)")
    assert "REACHED" not in says("os.kill(os.getppid(), 9)")


@needs(isolation.NETWORK)
def test_no_network_is_reachable(says) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    assert "refused" in says(f"__import__('socket').create_connection(('127.0.0.1', {port}), timeout=2)")
    server.close()


def test_the_environment_is_cleaned_and_the_folder_empty(says, monkeypatch) -> None:
    monkeypatch.setenv("TIMETRIAL_DATA_ROOT", "/the/data")
    said = says("tell(sorted(os.environ)); tell(sys.argv); tell(os.listdir('.'))")
    assert "TIMETRIAL" not in said
    assert said.splitlines()[1:3] == ["['trainee']", "[]"]


def test_no_file_is_open_but_the_channel_and_the_weights(says) -> None:
    said = says("tell([os.readlink(f'/proc/self/fd/{n}') for n in range(64) if os.path.islink(f'/proc/self/fd/{n}')])")
    if "refused" in said:
        said = says("import fcntl\ntell(sum(1 for n in range(64) if not isinstance(n, str) and _is_open(n)))")
    for place in ("evals.jsonl", "trainee.log", str(Path.home())):
        assert place not in said


HUNT = """
import gc, torch

def build_optimizer(model, hyperparameters, task):
    tensors = [o for o in gc.get_objects() if isinstance(o, torch.Tensor)]
    labels = sorted({len(o) for o in tensors if o.dtype == torch.int64 and o.ndim == 1})
    print("LABELS", labels, flush=True)
    try:
        task.next_batch()
    except RuntimeError as error:
        print("EARLY", error, flush=True)
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
"""


def test_hunting_for_tensors_before_the_clock_finds_no_data_and_no_batch(ran, honest, tmp_path) -> None:
    result, metrics = ran(HUNT)
    said = (tmp_path / "trial" / "trainee.log").read_text()
    assert result.status == "budget_exhausted", result.reason
    assert metrics == honest
    assert "there are no batches before the first training step" in said
    assert "28" not in said.split("LABELS")[1].splitlines()[0]  # the examples of validation, and of test


LEARN_EARLY = """
import torch

kept = {}

def build_optimizer(model, hyperparameters, task):
    if kept:
        print("SAME", all(torch.equal(kept[n], p) for n, p in model.named_parameters()), flush=True)
    kept.update({n: p.detach() for n, p in model.named_parameters()})  # trained in the warm-up, if that trains
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
"""


def test_learning_during_the_warm_up_learns_from_noise_on_another_model(ran, honest, tmp_path) -> None:
    _, metrics = ran(LEARN_EARLY)
    assert metrics == honest
    assert "SAME False" in (tmp_path / "trial" / "trainee.log").read_text()


def test_memorised_seeds_change_nothing_that_the_trial_draws(ran, honest) -> None:
    _, metrics = ran(
        "import torch, random, numpy\ntorch.manual_seed(1); random.seed(1); numpy.random.seed(1)\n" + HONEST
    )
    assert metrics == honest


def test_what_the_task_says_is_the_same_on_every_workload_and_names_none(ran, tmp_path) -> None:
    telling = HONEST.replace("    return", "    print(sorted(vars(task)), flush=True)\n    return")
    ran(telling)
    said = (tmp_path / "trial" / "trainee.log").read_text().splitlines()[-1]
    assert "target" not in said
    assert "workload" not in said


def test_what_trainees_start_from_imports_nothing_of_a_submission_and_has_no_name(arena) -> None:
    from timetrial.harness.trial.forkserver import PRELOADED, forkserver

    server = forkserver()
    modules = server.process.args[5:]
    assert all(module in PRELOADED or module.startswith("timetrial.workloads.") for module in modules)
    sockets = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    named = {line[6] for line in sockets if len(line) > 7}
    links = [os.readlink(f"/proc/{server.pid}/fd/{name}") for name in os.listdir(f"/proc/{server.pid}/fd")]
    assert not [link for link in links if link.strip("socket:[]") in named]
