"""What the two workloads of spoken digits share: data, CTC, word error rate and the first layers of a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.images import normalise
from timetrial.workloads.initialisation import ACTIVATIONS, check_activation
from timetrial.workloads.sources.splits import tensors
from timetrial.workloads.sources.spoken_digits import ALPHABET, MELS, spoken_digits, synthetic_digits

MEAN, STD = 0.258, 0.169
"""Of the features of training utterances, scaled to 0 to 1."""
BLANK = 0


class Subsampling(nn.Module):
    """Two convolutions of time and frequency, the first with a stride of 2 in time, both with one in frequency.

    Maps features [examples, frames, MELS] to [examples, frames / 2, width].
    """

    def __init__(self, channels: int, width: int, activation: str) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.conv_2 = nn.Conv2d(channels, channels, 3, stride=(1, 2), padding=1)
        self.project = nn.Linear(channels * MELS // 4, width)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, features: Tensor) -> Tensor:
        x = self.activation(self.conv_2(self.activation(self.conv_1(features[:, None]))))
        return self.project(x.transpose(1, 2).flatten(2))


def subsampled(frames: Tensor) -> Tensor:
    """Count the steps of time that are left of so many frames."""
    return (frames + 1) // 2


def steps_that_count(x: Tensor, frames: Tensor) -> Tensor:
    """Say which steps of `x` [examples, steps, ...] are of the utterance, bool [examples, steps]."""
    return torch.arange(x.shape[1], device=x.device) < subsampled(frames)[:, None]


def greedy_texts(logits: Tensor, steps: Tensor) -> list[str]:
    """Read [examples, steps, characters] as CTC does: the best at each step, repetitions merged, blanks left out."""
    best = logits.argmax(2)
    changes = torch.cat((torch.ones_like(best[:, :1], dtype=torch.bool), best[:, 1:] != best[:, :-1]), dim=1)
    there = torch.arange(best.shape[1], device=best.device) < steps[:, None]
    kept = changes & there & (best != BLANK)
    return [texts(row) for row in torch.where(kept, best, BLANK).tolist()]


def texts(characters: Sequence[int]) -> str:
    """Write out places in ALPHABET; blanks are nothing."""
    return "".join(ALPHABET[character] for character in characters if character != BLANK)


def edit_distance(words: Sequence[str], others: Sequence[str]) -> int:
    """Count the fewest insertions, deletions and substitutions that turn one into the other (Wagner & Fischer 1974)."""
    row = list(range(len(others) + 1))
    for i, word in enumerate(words, start=1):
        corner, row[0] = row[0], i
        for j, other in enumerate(others, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (word != other))
    return row[-1]


@dataclass(frozen=True, kw_only=True)
class SpokenDigits(Workload):
    """Writes down utterances of 3 to 5 digits, letter by letter: 6,000 to train, 500 to validate and 500 to test.

    All are filled up to the longest, 3.2 seconds.
    """

    metric: ClassVar[str] = "word_error_rate"
    higher_is_better: ClassVar[bool] = False
    training_sample: ClassVar[int] = 50

    batch_size: int = 16
    layers: int = 2
    width: int = 64
    channels: int = 8
    """Of the first convolutions."""
    activation: str = "silu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `features`, `frames` and `characters`, as `sources.spoken_digits.compose` describes them."""
        return tensors(synthetic_digits(split) if source.kind == "synthetic" else spoken_digits(split, source))

    def examples(self, data: Data) -> int:
        return len(data["frames"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        features, frames, characters = (
            data[name].index_select(0, indices) for name in ("features", "frames", "characters")
        )
        return Batch((normalise(features, MEAN, STD), frames.long()), characters.long())

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Compute the mean over examples of CTC's loss, in nats per character of the text."""
        features, frames = batch.inputs
        with self.autocast(features.device):
            logits = model(features, frames)
        return self._ctc(logits, frames, batch.targets).mean()

    @staticmethod
    def _ctc(logits: Tensor, frames: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of each example; 0 for an utterance too fast to be written in its steps of time."""
        lengths = (targets != BLANK).sum(1)
        log_probabilities = logits.float().log_softmax(2).transpose(0, 1)
        losses = F.ctc_loss(
            log_probabilities, targets, subsampled(frames), lengths, reduction="none", zero_infinity=True
        )
        return losses / lengths.clamp(min=1)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the word error rate of greedy decoding and the mean loss."""
        loss, errors, words = 0.0, 0, 0
        device = data["frames"].device
        indices = torch.arange(self.examples(data), device=device)
        for chunk in indices.split(50 if device.type == "cpu" else 500):
            (features, frames), targets = self.batch(data, chunk, torch.Generator(device))
            with self.autocast(device):
                logits = model(features, frames)
            loss = loss + self._ctc(logits, frames, targets).double().sum()
            for said, row in zip(greedy_texts(logits, subsampled(frames)), targets.tolist(), strict=True):
                truth = texts(row).split()
                errors, words = errors + edit_distance(said.split(), truth), words + len(truth)
        return {"word_error_rate": errors / words, "loss": (loss / len(indices)).item()}
