"""Utterances of 3 to 5 digits, put together from the Free Spoken Digit Dataset (Jackson et al. 2018).

The data set has 3,000 recordings of one digit, by 6 speakers, at 8 kHz. Index 0 to 4 of each digit and speaker are for
test, as its authors say, 5 to 9 for validation here, and all others for training.
"""

import io
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from scipy.io import wavfile

from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource, cache_folder
from timetrial.workloads.sources.cache import Arrays, cached, hash_files

REVISION = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
URL = f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/{REVISION}.zip"
SHA256 = "ddb17656a0bca4c5ddace082be188ca630516dc2ef1110afe3c4e9cc71173de4"
"""Of all recordings, one after the other in the order of their names (an archive's own bytes may change)."""
FOLDER = "free_spoken_digits/recordings"
REMEDY = f"pass data_root=DIR with the recordings of {URL} in DIR/{FOLDER}, or data=synthetic"

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ALPHABET = "_ efghinorstuvwxz"
"""The characters of all words, after the blank of CTC (Graves et al. 2006), which has index 0."""
UTTERANCES = {"train": 6000, "validation": 500, "test": 500}
SYNTHETIC_UTTERANCES = {"train": 2000, "validation": 200, "test": 200}
RATE = 8000
LONGEST = 3.2
"""Seconds; longer utterances are drawn again."""
WINDOW, HOP, MELS = 256, 160, 32
"""Samples of a frame, samples between frames (20 ms), and features of a frame."""
FRAMES = int(LONGEST * RATE) // HOP
CHARACTERS = 5 * 6 - 1
FLOOR, STEP = -50.0, 0.4
"""Decibels of a feature of 1, and between a feature and the next; 0 is no frame at all."""

Recordings = dict[int, list[np.ndarray]]
"""Samples from -1 to 1 by digit."""


def spoken_digits(split: str, source: DataSource) -> Arrays:
    """Load the utterances of a split; see `compose`.

    Raises `UsageError` where the recordings are neither in `source.root` nor, without a root, can be downloaded.
    """
    root = source.root or cache_folder()
    folder = root / FOLDER
    if source.root is None and not folder.is_dir():
        _download(folder)
    files = sorted(folder.glob("*.wav"))
    if not files:
        raise UsageError(f"the spoken digits were not found: {folder} has no *.wav: {REMEDY}")
    if (found := hash_files(*files)) != SHA256:
        raise UsageError(
            f"{folder} has not the pinned recordings: their sha256 is {found[:12]}..., not {SHA256[:12]}...: {REMEDY}"
        )
    return cached(f"spoken_digits-{split}-1", found, lambda: compose(_read(split, files), split, UTTERANCES[split]))


def _download(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "archive.zip"
        try:
            torch.hub.download_url_to_file(URL, str(archive), progress=False)
            with zipfile.ZipFile(archive) as files:
                wanted = [name for name in files.namelist() if re.fullmatch(r"[^/]+/recordings/[^/]+\.wav", name)]
                contents = {name.rpartition("/")[2]: files.read(name) for name in wanted}
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise UsageError(
                f"the spoken digits are not in the cache and download failed ({reason}): {REMEDY}"
            ) from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        for name, content in contents.items():
            (Path(place) / name).write_bytes(content)
        shutil.copytree(place, folder, dirs_exist_ok=True)


def _read(split: str, files: list[Path]) -> Recordings:
    """Read the recordings of a split, whose names are DIGIT_SPEAKER_INDEX.wav."""
    recordings: Recordings = {digit: [] for digit in range(10)}
    for file in files:
        digit, _, index = file.stem.split("_")
        if split == {0: "test", 1: "validation"}.get(int(index) // 5, "train"):
            samples = wavfile.read(io.BytesIO(file.read_bytes()))[1]
            recordings[int(digit)].append(samples.astype(np.float64) / 2**15)
    return recordings


def synthetic_digits(split: str) -> Arrays:
    """Make utterances of the same form, of digits whose sound is a sequence of three chords, which differ by speaker.

    Draws come from numpy's frozen `RandomState` stream (NEP 19); sounds and features are rounded as the real ones are.
    """
    draw = np.random.RandomState(121)
    chords = draw.randint(250, 3000, size=(10, 3, 2))  # hertz
    draw = np.random.RandomState({"train": 122, "validation": 123, "test": 124}[split])
    recordings: Recordings = {digit: [] for digit in range(10)}
    for digit in range(10):
        for _ in range(40):
            length, pitch = draw.randint(2000, 3800), draw.uniform(0.92, 1.08)
            frequency = pitch * chords[digit].repeat(length // 3, axis=0)
            phase = 2 * np.pi * frequency.cumsum(axis=0) / RATE
            envelope = np.sin(np.pi * np.arange(len(phase)) / len(phase))
            recordings[digit].append(0.1 * envelope * np.sin(phase).sum(axis=1))
    return compose(recordings, split, SYNTHETIC_UTTERANCES[split])


def compose(recordings: Recordings, split: str, utterances: int) -> Arrays:
    """Draw utterances and compute their features.

    Each is 3 to 5 recordings of random digits, of random speakers, each with a gain of -6 to 6 dB, with 0 to 0.12 s of
    silence before, between and after them, and faint noise over all. Gives `features` uint8 [utterances, FRAMES, MELS],
    `frames` uint8 [utterances], how many of them are of the utterance, and `characters` uint8 [utterances, CHARACTERS],
    the places in ALPHABET of the text, filled with 0.
    """
    draw = np.random.RandomState({"train": 131, "validation": 132, "test": 133}[split])
    features = np.zeros((utterances, FRAMES, MELS), dtype=np.uint8)
    frames = np.zeros(utterances, dtype=np.uint8)
    characters = np.zeros((utterances, CHARACTERS), dtype=np.uint8)
    filters = mel_filters()
    for utterance in range(utterances):
        samples, text = _draw(recordings, draw)
        rows = log_mel(samples, filters)
        features[utterance, : len(rows)], frames[utterance] = rows, len(rows)
        characters[utterance, : len(text)] = [ALPHABET.index(character) for character in text]
    return {"features": features, "frames": frames, "characters": characters}


def _draw(recordings: Recordings, draw: np.random.RandomState) -> tuple[np.ndarray, str]:
    while True:
        digits = draw.randint(10, size=draw.randint(3, 6)).tolist()
        pieces = [np.zeros(draw.randint(int(0.12 * RATE)))]
        for digit in digits:
            sound = recordings[digit][draw.randint(len(recordings[digit]))]
            pieces += [sound * 10 ** draw.uniform(-0.3, 0.3), np.zeros(draw.randint(int(0.12 * RATE)))]
        samples = np.concatenate(pieces)
        if WINDOW <= len(samples) <= LONGEST * RATE:
            noise = 1e-3 * (draw.random_sample(len(samples)) - 0.5)
            return samples + noise, " ".join(WORDS[digit] for digit in digits)


def log_mel(samples: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Compute the power of each frame in each mel band, in decibels, rounded to uint8 [frames, MELS] from 1 on."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(windows)) ** 2 @ filters
    return np.rint((10 * np.log10(power + 1e-10) - FLOOR) / STEP).clip(1, 255).astype(np.uint8)


def mel_filters() -> np.ndarray:
    """Compute triangles [frequencies, MELS], equally wide in mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987)."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, MELS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    return np.minimum((frequencies - low) / (centre - low), (high - frequencies) / (high - centre)).clip(0)
