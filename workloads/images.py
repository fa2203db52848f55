"""What image workloads share: normalisation and augmentation of whole batches on the device."""

import torch
import torch.nn.functional as F
from torch import Tensor


def normalise(images: Tensor, mean: float, std: float) -> Tensor:
    """Turn bytes into floats of about zero mean and unit variance; `mean`, `std`: those of pixels scaled to 0 to 1."""
    return images.float().mul_(1 / (255 * std)).sub_(mean / std)


def crop_and_flip(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `padding` pixels into a black border, and mirror half of them (He et al. 2015, 4.2).

    Equal to padding with zeros on each side, cropping to the original size at a random place, and flipping left to
    right with probability 1/2; one gather for the whole batch.

    `images`: [examples, height, width, channels] of any dtype; `generator`: on their device.
    """
    examples, height, width, channels = images.shape
    device = images.device
    top, left = torch.randint(2 * padding + 1, (2, examples, 1), generator=generator, device=device)
    flip = torch.randint(2, (examples, 1), generator=generator, device=device)
    image, row, column = (torch.arange(n, device=device) for n in (examples, height, width))
    row = row + top + image[:, None] * (height + 2 * padding)
    column = torch.where(flip == 1, width - 1 - column, column) + left
    pixels = row[:, :, None] * (width + 2 * padding) + column[:, None, :]
    padded = F.pad(images, (0, 0, padding, padding, padding, padding))
    return padded.view(-1, channels).index_select(0, pixels.flatten()).view(images.shape)
