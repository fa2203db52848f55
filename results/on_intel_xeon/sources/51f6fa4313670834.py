"""SOAP: Adam in the eigenbasis of Shampoo's factors (Vyas et al. 2025, algorithms 3 and 4).

Each matrix is rotated by the eigenvectors of L and R, which a step of orthogonal iteration refreshes every
`update_every` steps, sorted by their eigenvalues, and the second moment with them; a side above `max_size` is not
rotated. A convolution kernel is the matrix (output channels) x (input channels, height, width). As in its authors' code
the first step only begins L and R, and vectors take Adam's update.
"""

import torch

from timetrial.submissions.decompositions import eigh
from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class SOAP(ForeachOptimizer):
    buffers = ("m", "v")

    def update(self, group, weights, gradients, m, v):
        t, beta1, beta2 = group["step"] - 1, group["beta1"], group["beta2"]
        if t > 0:
            torch._foreach_lerp_(m, gradients, 1 - beta1)
            rate = group["lr"] / (1 - beta1**t)
            for weight, gradient, moment, square in zip(weights, gradients, m, v, strict=True):
                bases = self.state[weight].get("bases", ())
                rotated = rotate(gradient, bases)
                square.lerp_(rotated * rotated, 1 - beta2)
                step = rotate(moment, bases) / ((square / (1 - beta2**t)).sqrt() + group["eps"])
                weight.sub_(rotate(step, bases, back=True), alpha=rate)
        for weight, gradient, square in zip(weights, gradients, v, strict=True):
            if weight.ndim > 1:
                self.follow(group, self.state[weight], gradient.flatten(1), square)

    def follow(self, group, state, gradient, square):
        """Update the factors of a matrix, and where it is time their eigenvectors and the order of `square`."""
        products = [gradient @ gradient.mT, gradient.mT @ gradient]
        if "factors" not in state:
            keep = [size <= group["max_size"] for size in gradient.shape]
            state["factors"] = [p * (1 - group["beta2"]) if k else None for p, k in zip(products, keep, strict=True)]
            state["bases"] = [None if f is None else eigh(f)[1].flip(1) for f in state["factors"]]
            return
        for i, factor in enumerate(state["factors"]):
            if factor is not None:
                factor.lerp_(products[i], 1 - group["beta2"])
                if (group["step"] - 1) % group["update_every"] == 0:
                    product = factor @ state["bases"][i]
                    order = (state["bases"][i] * product).sum(0).argsort(descending=True)
                    state["bases"][i] = torch.linalg.qr(product[:, order])[0]
                    square.copy_(square.flatten(1).index_select(i, order).view_as(square))


def rotate(tensor, bases, back=False):
    """Rotate the two sides of a matrix into `bases`, or back; without bases it stays as it is."""
    if not bases:
        return tensor
    left, right = bases
    matrix = tensor.flatten(1)
    if left is not None:
        matrix = (left if back else left.mT) @ matrix
    if right is not None:
        matrix = matrix @ (right.mT if back else right)
    return matrix.view_as(tensor)


def build_optimizer(model, hyperparameters, task):
    optimizer = SOAP(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-8,
        max_size=hyperparameters.max_size,
        update_every=hyperparameters.update_every,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
