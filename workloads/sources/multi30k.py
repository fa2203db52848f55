"""Multi30K (Elliott et al. 2016): captions in English and German; 29,000 pairs, and 1,014 and 1,000 to evaluate on."""

import gzip
from collections.abc import Iterable

import numpy as np

from timetrial.harness.workload import DataSource
from timetrial.workloads.sources.cache import Arrays, cached, hash_files
from timetrial.workloads.sources.download import DataSet
from timetrial.workloads.sources.splits import shuffled

MULTI30K = DataSet(
    name="Multi30K",
    folder="multi30k",
    url="https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw",
    sha256={
        "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
        "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
        "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
        "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
        "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    },
)
PARTS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
PAD, START, END = 0, 1, 2
"""The first three subwords; they stand for no text."""
PIECE_BYTES = 24
"""The longest subword, in bytes."""


def multi30k(split: str, source: DataSource, vocabulary: int, length: int) -> Arrays:
    """Load pairs of at most `length` subwords on each side, in random order.

    `german` and `english` int16 [pairs, length] end with END and are filled with PAD; `pieces` uint8
    [vocabulary, PIECE_BYTES] are the UTF-8 bytes of each subword, filled with zeros. Subwords are those of
    byte-pair encoding (Sennrich et al. 2016), learnt from the training split of both languages. Raises `UsageError` as
    `DataSet.find`.
    """
    names = [f"{part}.{language}.gz" for part in ("train", PARTS[split]) for language in ("de", "en")]
    paths = MULTI30K.find(source, *names)
    key = hash_files(*paths)
    return cached(f"multi30k-{split}-{vocabulary}-{length}", key, lambda: _encode(paths, vocabulary, length))


def _encode(paths: list, vocabulary: int, length: int) -> Arrays:
    from tokenizers import SentencePieceBPETokenizer  # takes a while to import, and is needed once

    train_german, train_english, german, english = (
        gzip.decompress(path.read_bytes()).decode().splitlines() for path in paths
    )
    tokenizer = SentencePieceBPETokenizer(unk_token="<unk>")
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        train_german + train_english, vocabulary, special_tokens=special, limit_alphabet=200, show_progress=False
    )
    pairs = [[each.ids for each in tokenizer.encode_batch(text)] for text in (german, english)]
    texts = (tokenizer.id_to_token(token) for token in range(len(special), tokenizer.get_vocab_size()))
    pieces = [b"", b"", b"", b"?", *(text.replace("\N{LOWER ONE EIGHTH BLOCK}", " ").encode() for text in texts)]
    return padded(pairs, pieces, length)


def padded(pairs: Iterable[list[list[int]]], pieces: list[bytes], length: int) -> Arrays:
    """Make the arrays that `multi30k` describes of German and English subwords and of the bytes of each subword."""
    fitting = [pair for pair in zip(*pairs, strict=True) if max(map(len, pair)) < length]
    rows = np.full((2, len(fitting), length), PAD, dtype=np.int16)
    for index in range(len(fitting)):
        for side in range(2):
            tokens = [*fitting[index][side], END]
            rows[side, index, : len(tokens)] = tokens
    table = np.zeros((len(pieces), PIECE_BYTES), dtype=np.uint8)
    for token, piece in enumerate(pieces):
        table[token, : len(piece)] = np.frombuffer(piece, dtype=np.uint8)
    order = shuffled(len(fitting))
    return {"german": rows[0][order], "english": rows[1][order], "pieces": table}
