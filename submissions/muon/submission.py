"""Muon: momentum orthogonalized by five quintic Newton-Schulz steps (Jordan et al. 2024).

Hidden matrices and convolution kernels take Muon's update; embeddings, the output layer, norms and biases take AdamW's,
with a learning rate of their own.
"""

import torch

from submissions.combined import Combined
from submissions.orthogonalized_momentum import OrthogonalizedMomentum
from submissions.parameter_groups import matrices_and_rest
from submissions.schedules import cosine_with_warmup

NEWTON_SCHULZ = ((3.4445, -4.7750, 2.0315),) * 5


def build_optimizer(model, hyperparameters, task):
    matrices, rest = matrices_and_rest(model, task, hyperparameters.weight_decay)
    optimizer = Combined(
        OrthogonalizedMomentum(
            matrices, NEWTON_SCHULZ, lr=hyperparameters.learning_rate, momentum=hyperparameters.momentum
        ),
        torch.optim.AdamW(
            rest,
            lr=hyperparameters.adam_learning_rate,
            betas=(hyperparameters.beta1, hyperparameters.beta2),
            foreach=True,
        ),
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
