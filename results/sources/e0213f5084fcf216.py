"""NAdamW with a cyclic learning rate: triangles from the peak to a tenth of it and back (Smith 2017, section 3).

AlgoPerf had cosine cycles under this name, which are `cyclic_cosine` here.
"""

from timetrial.submissions.optimizers import nadamw
from timetrial.submissions.schedules import cyclic


def build_optimizer(model, hyperparameters, task):
    optimizer = nadamw(model, hyperparameters, task)
    return optimizer, cyclic(optimizer, task.step_hint, cycles=hyperparameters.cycles)
