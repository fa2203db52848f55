"""Groups of tokens, and their losses."""

import pytest
import torch
import torch.nn.functional as F

from timetrial.harness import UsageError
from timetrial.harness.explain import token_frequency
from timetrial.harness.explain.loop import find_workload
from timetrial.harness.workload import DataSource


def test_each_group_is_about_a_tenth_of_a_text_after_zipf():
    counts = (1e6 / torch.arange(1, 5001)).long()
    group = token_frequency.groups_of(counts)
    shares = torch.bincount(group, counts.double(), minlength=10) / counts.sum()
    assert shares[1:].sub(0.1).abs().max() < 0.06 and shares.sum() == pytest.approx(1)
    assert (group.diff() >= 0).all(), "the more frequent a token, the earlier its group"
    assert (group == 9).sum() > 1000 > 10 > (group == 0).sum()


def test_losses_of_the_groups_make_up_the_loss_of_the_workload():
    workload = find_workload("miniature", "multi30k_transformer")
    data = workload.load("validation", DataSource("synthetic"))
    model = workload.build_model(torch.Generator().manual_seed(0))
    batch = workload.batch(data, torch.arange(16), torch.Generator())
    group = token_frequency.groups_of(token_frequency.frequencies(workload, data))
    losses = torch.tensor(token_frequency.group_losses(model, batch, group)).nan_to_num()
    counts = torch.bincount(group[batch.targets[batch.targets != 0]], minlength=10)
    whole = F.cross_entropy(model(*batch.inputs).flatten(0, 1), batch.targets.flatten(), ignore_index=0)
    assert (losses * counts).sum() / counts.sum() == pytest.approx(whole.item(), rel=1e-5)


def test_it_runs_and_says_what_it_saw():
    small = {"steps": 4, "every": 2, "examples": 20, "rates": (0.1, 0.001)}
    found = token_frequency.run(token_frequency.Options(data="synthetic", **small))
    assert set(found.table.submission) == {"momentum", "adamw"} and set(found.table.group) == set(range(10))
    before = found.table[found.table.step == 0].pivot(index="group", columns="submission", values="loss")
    assert (before.momentum == before.adamw).all(), "both begin at the same weights"
    assert "rarest" in found.paragraph and found.figure().axes
    with pytest.raises(UsageError, match="3 rates for 2 submissions"):
        token_frequency.run(token_frequency.Options(rates=(1.0, 2.0, 3.0)))
