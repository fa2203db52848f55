"""The adaptive variant of CASPR: the right factor gathers gradients that the left one has already preconditioned.

As in its AlgoPerf entry (Kasimbeg et al. 2025), after Duvvuri et al. (2024). With A = L^(-1/2) and B = R^(-1/2):
L <- beta2 L + (1 - beta2) G G^T, from 1e-6 I; R <- beta2 c R + (1 - beta2) (A G)^T (A G) / rows, from I. After each new
A, c = tr(A L' A) / rows once, with L' the ridged factor that the last A came from, so that R follows the new scale;
otherwise c is 1. The update is A M B of the Nesterov momentum M, in steps of the size of NAdamW's.
"""

import torch

from timetrial.submissions.decompositions import eigh
from timetrial.submissions.kronecker import BlockPreconditioned, block_preconditioned, inverse_root
from timetrial.submissions.schedules import cosine_with_warmup


class CASPRAdaptive(BlockPreconditioned):
    nesterov = True

    def begin(self, g):
        left, right = (torch.eye(size, dtype=g.dtype, device=g.device) for size in g.shape)
        return {"L": 1e-6 * left, "R": right, "A": left}

    def gather(self, group, factors, g):
        factors["L"].lerp_(g @ g.mT, 1 - group["beta2"])
        seen = factors["A"] @ g
        factors["R"].lerp_(seen.mT @ seen / g.size(0), 1 - group["beta2"])

    def find_roots(self, group, factors):
        before = factors.get("before", 1e-6 * torch.eye(len(factors["L"])).to(factors["L"]))
        factors["left"] = factors["A"] = inverse_root(factors["L"], 2, group["ridge"])
        factors["right"] = inverse_root(factors["R"], 2, group["ridge"])
        ridge = group["ridge"] * eigh(before)[0][-1]
        squares = (factors["A"] @ factors["A"] * before).sum() + ridge * factors["A"].square().sum()
        factors["R"] *= squares / len(before)
        factors["before"] = factors["L"].clone()

    def precondition(self, left, right, direction):
        return left @ direction @ right


def build_optimizer(model, hyperparameters, task):
    optimizer = block_preconditioned(CASPRAdaptive, model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
