"""What the forkserver imports before any trainee starts, so that a trial does not pay for it.

No tensor is computed here: a thread pool that exists before a fork is of no use after it.
"""

import warnings

import torch
import torch._dynamo  # optimizers import it at their first step otherwise, 1 s
import torch.optim

import timetrial.harness.trial.trainee  # noqa: F401
from timetrial.harness.planning.imports import provided_modules
from timetrial.harness.trial.memory import keep_freed_memory
from timetrial.harness.trial.process_tree import adopt_orphans

keep_freed_memory()
provided_modules()
torch.set_num_threads(1)
adopt_orphans()
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")  # they are the adopted
