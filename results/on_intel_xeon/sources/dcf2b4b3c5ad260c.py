"""Distributed Shampoo on one device: L^(-1/4) G R^(-1/4) on blocks, with steps of Adam's size.

Anil et al. (2020) and Shi et al. (2023).
"""

from timetrial.submissions.kronecker import BlockPreconditioned, block_preconditioned
from timetrial.submissions.schedules import cosine_with_warmup


class DistributedShampoo(BlockPreconditioned):
    def precondition(self, left, right, direction):
        return left @ direction @ right


def build_optimizer(model, hyperparameters, task):
    optimizer = block_preconditioned(DistributedShampoo, model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
