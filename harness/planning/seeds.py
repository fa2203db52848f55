"""Seeds derived by hashing, so that they depend on nothing but what they are for."""

import hashlib


def derive_seed(*parts: str | int) -> int:
    """Derive a seed in [0, 2^63) from what it is for, such as `("batches", "mini", 1, "small_gpt", study)`."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
