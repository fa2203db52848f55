"""The pacer: plain AdamW steps that the referee takes beside a trial, to know what a step costs on this machine now.

It runs in the referee's process, which no trainee can reach, at the evaluation points, which are fixed, for a number of
steps that is fixed as well: about `SHARE` of what the trainee has done in between. The trainee stands still meanwhile,
and `watch.py` sees to that. The model, its data, the optimizer and the random numbers are the pacer's own, so that
nothing else in the referee depends on whether there is one. Its learning rate is zero: every step does the same work.
"""

import time

import torch

from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.trial.memory import keep_freed_memory
from timetrial.harness.workload import Batch, Data, Workload

SHARE = 0.05
"""Steps of a burst, as a share of the batches from one evaluation point to the next."""
UNTIMED_STEPS = 1
"""Steps before each burst that fill the caches which the trainee and the evaluation have left full of other things."""
FIRST_STEPS = 10
"""Steps after the pacer is built, that no burst should pay for."""


def is_paced(spec: TrialSpec) -> bool:
    """Say whether a trial has a pacer: one thread on a CPU, and a suite that knows what a step of the pacer costs.

    Where several threads share the work, processor time says little; on a GPU nothing else computes that could disturb
    it, and another loop beside a trial would.
    """
    return spec.workload.pace_seconds is not None and spec.device == "cpu" and spec.threads == 1


class Pacer:
    """A reference loop on the CPU, kept from trial to trial."""

    def __init__(self, workload: Workload, data: Data) -> None:
        """Build it for `workload`; `data` are random, with the layout of the training data."""
        keep_freed_memory()  # as a trainee has it, so that a step costs the same at every burst
        self.workload, self.data = workload, data
        self.generator = torch.Generator().manual_seed(0)
        with torch.random.fork_rng(devices=[]):
            self.model = workload.build_model(torch.Generator().manual_seed(0)).train()
            self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.0)
            self.random_state = torch.get_rng_state()
        self.examples = workload.examples(data)
        self._take(FIRST_STEPS)

    def burst(self, eval_every: int) -> tuple[float, float]:
        """Take the steps of a burst; gives the seconds and the processor seconds of one step."""
        steps = max(1, round(SHARE * eval_every))
        self._take(UNTIMED_STEPS)
        began, spent = time.perf_counter(), time.thread_time()
        self._take(steps)
        ended, spent_then = time.perf_counter(), time.thread_time()
        return (ended - began) / steps, (spent_then - spent) / steps

    def _take(self, steps: int) -> None:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            torch.set_rng_state(self.random_state)
            for _ in range(steps):
                self.optimizer.zero_grad()
                self.workload.loss(self.model, self._next_batch()).backward()
                self.optimizer.step()
            self.random_state = torch.get_rng_state()

    def _next_batch(self) -> Batch:
        indices = torch.randint(self.examples, (self.workload.batch_size,), generator=self.generator)
        return self.workload.batch(self.data, indices, self.generator)
