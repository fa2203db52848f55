"""CASPR: the Kronecker sum of Shampoo's two factors in place of their product (Duvvuri et al. 2024, algorithm 1).

Preconditions twice with (L^(-1/4) (x) I + I (x) R^(-1/4)) / 2, which is (A^2 G + 2 A G B + G B^2) / 4 with the factors'
roots A and B. Blocks, grafting and averages are those of its neighbour `distributed_shampoo`.
"""

from timetrial.submissions.kronecker import BlockPreconditioned, block_preconditioned
from timetrial.submissions.schedules import cosine_with_warmup


class CASPR(BlockPreconditioned):
    def precondition(self, left, right, direction):
        once = (left @ direction + direction @ right) / 2
        return (left @ once + once @ right) / 2


def build_optimizer(model, hyperparameters, task):
    optimizer = block_preconditioned(CASPR, model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
