"""Waiting for the jobs of a cluster, with a stand-in for the cluster: what it answers is given."""

from types import SimpleNamespace

import pytest

from timetrial.harness import UsageError
from timetrial.harness.runs import execute
from timetrial.harness.runs.execute import RESUBMISSIONS, wait_for_jobs


@pytest.fixture
def cluster(monkeypatch):
    """One trial, which is over where `over` is set; `submit` and `lost` say what the cluster answers."""
    cluster = SimpleNamespace(over=False, submit=list, lost=list, polls=0)

    def poll(*_):
        cluster.polls += 1
        return cluster.submit()

    monkeypatch.setattr(execute, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(execute, "states_of", lambda *_: [SimpleNamespace(is_over=cluster.over)])
    monkeypatch.setattr(execute, "submit_plan", poll)
    monkeypatch.setattr(execute, "lost_trials", lambda *_: cluster.lost())
    return cluster


def wait():
    wait_for_jobs(SimpleNamespace(name="run"), [None], None)


def test_the_job_that_was_submitted_last_is_waited_for(cluster, capsys) -> None:
    left = iter([[], [], ["trial"]])
    cluster.submit = lambda: ["job"]
    cluster.lost = lambda: next(left)
    wait()
    assert cluster.polls == RESUBMISSIONS and next(left, None) is None
    assert "jobs end and leave trials behind" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_once_is_asked_again(cluster, capsys) -> None:
    def answer():
        cluster.over = cluster.polls == 2
        if not cluster.over:
            raise UsageError("executor=slurm: squeue: Socket timed out")
        return []

    cluster.submit = answer
    wait()
    assert capsys.readouterr().err.count("Socket timed out; asking again") == 1


def test_a_cluster_that_never_answers_is_given_up(cluster, monkeypatch) -> None:
    def answer():
        raise UsageError("executor=slurm: squeue: Socket timed out")

    cluster.submit = answer
    monkeypatch.setattr(execute, "PATIENCE_SECONDS", 0.01)
    with pytest.raises(UsageError, match="Socket timed out"):
        wait()
