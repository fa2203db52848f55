"""Muon with the Polar Express in place of Newton-Schulz: another polynomial at each step, the best for what the last
has left, but cushioned: for no singular value below 0.024 of the largest (Amsel et al. 2025, algorithm 1, for singular
values down to 0.001, with its safety factor)."""

from functools import partial

from timetrial.submissions.orthogonalized_momentum import muon, orthogonalize
from timetrial.submissions.schedules import cosine_with_warmup

OPTIMAL = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)
SAFETY = 1.01
POLAR_EXPRESS = tuple((a / SAFETY, b / SAFETY**3, c / SAFETY**5) for a, b, c in OPTIMAL)


def build_optimizer(model, hyperparameters, task):
    orthogonal = partial(orthogonalize, coefficients=POLAR_EXPRESS, margin=SAFETY)
    optimizer = muon(model, hyperparameters, task, orthogonal)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
