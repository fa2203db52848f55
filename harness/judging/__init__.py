"""Paired studies: trials of several arms on the same weights and batches, and what may be concluded from them."""
