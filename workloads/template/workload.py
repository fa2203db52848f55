"""TEMPLATE: which of two spirals a point is on, by a small network. Say here what yours is about."""

import random
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np
import torch.nn.functional as F
from torch import nn

from timetrial.harness.workload import Workload
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.initialisation import build, he_std


@dataclass(frozen=True, kw_only=True)
class Template(Workload):
    metric = "accuracy"  # the entry of `evaluate` that the target is on
    higher_is_better = True
    output_layer = "head"  # the layer that makes the predictions, by its name in the model

    batch_size: int = 64
    width: int = 32  # sizes are fields, so that a suite can set them and a variant can change them

    def build_model(self, generator):  # every weight comes from `generator`; none from torch's global state
        def construct():
            layers = [("hidden", nn.Linear(2, self.width)), ("tanh", nn.Tanh()), ("head", nn.Linear(self.width, 2))]
            return nn.Sequential(OrderedDict(layers))

        return build(construct, lambda name, layer: he_std(layer), generator)

    def load_all(self, split, source):  # tensors or NumPy arrays; cut by a fixed seed; never load when imported
        # Files of your own: read them from source.root, the folder that data_root=DIR names.
        draw = np.random.RandomState({"train": 0, "validation": 1, "test": 2}[split])
        targets = draw.randint(2, size=4000 if split == "train" else 1000)
        turn = draw.uniform(0.5, 2.5, size=len(targets))
        angle = 2 * np.pi * turn + np.pi * targets
        points = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
        return {"inputs": points + draw.normal(scale=0.05, size=points.shape), "targets": targets}

    def loss(self, model, batch):  # the mean over the batch; `batch` has the rows of `inputs` and `targets`
        return F.cross_entropy(model(batch.inputs), batch.targets)

    def evaluate(self, model, data):  # floats by their names, over a whole split
        return classification_metrics(model, [(data["inputs"], data["targets"])])

    def draw_variant(self, seed):  # another problem of the kind, that no author of an optimizer has seen
        return replace(self, width=random.Random(seed).choice((16, 24, 48, 64)))
