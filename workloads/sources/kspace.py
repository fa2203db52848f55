"""Images seen through too few lines of their Fourier transform, as in fastMRI (Zbontar et al. 2018)."""

import numpy as np

from timetrial.workloads.sources.cache import Arrays

ACCELERATION = 4
"""One line in so many is sampled."""
CENTRE = 0.08
"""The share of the lines, those of the lowest frequencies, that is always sampled; fastMRI's."""
CHUNK = 4096


def undersample(images: np.ndarray, seed: int) -> Arrays:
    """Reconstruct images from a quarter of their frequencies, all others taken as zero (fastMRI, sections 4.9 and 5.1).

    Each image uint8 [height, width] has a mask of its own: the centre, and as many random other columns of its Fourier
    transform as make a quarter. Gives `images`, `zero_filled` uint8 [examples, height, width]: the magnitude, in the
    images' scale, rounded.
    """
    draw = np.random.RandomState(seed)
    examples, _, width = images.shape
    lines, centre = width // ACCELERATION, round(width * CENTRE)
    first = (width - centre) // 2  # of frequencies in the order of np.fft.fftshift
    keys = draw.random_sample((examples, width))
    keys[:, first : first + centre] = -1.0
    sampled = np.fft.ifftshift(keys.argsort(axis=1).argsort(axis=1) < lines, axes=1)
    results = np.empty_like(images)
    for start in range(0, examples, CHUNK):
        chunk = slice(start, start + CHUNK)
        frequencies = np.fft.fft2(images[chunk].astype(np.float64)) * sampled[chunk, None, :]
        results[chunk] = np.rint(np.abs(np.fft.ifft2(frequencies))).clip(0, 255)
    return {"images": images, "zero_filled": results}
