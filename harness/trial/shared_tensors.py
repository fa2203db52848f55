"""Tensors in memory that two processes share: the training data, read-only, and the weights that are handed over."""

import fcntl
import mmap
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

_ALIGNMENT = 64


@dataclass(frozen=True)
class Place:
    """Where a tensor lies in the shared memory."""

    offset: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class SharedTensors:
    """Named tensors of fixed shapes and dtypes in anonymous memory whose size is sealed.

    Its file can be passed to a process. A layout that both sides know is all that is shared: what the
    other side writes is numbers, never an object.
    """

    def __init__(self, layout: Mapping[str, Tensor], read_only: bool = False) -> None:
        """Share copies of the tensors of `layout`; with `read_only`, nobody can write them again."""
        self.read_only = read_only
        self.places: dict[str, Place] = {}
        offset = 0
        for name, tensor in layout.items():
            place = self.places[name] = Place(offset, tuple(tensor.shape), tensor.dtype)
            offset += -(-place.size // _ALIGNMENT) * _ALIGNMENT
        self.size = max(offset, _ALIGNMENT)
        self.file = os.memfd_create("timetrial", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.file, self.size)
        for name, tensor in layout.items():
            data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            written = 0
            while written < data.nbytes:  # the kernel writes at most 2 GiB at a time
                written += os.pwrite(self.file, data[written:], self.places[name].offset + written)
        seals = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | (fcntl.F_SEAL_WRITE if read_only else 0)
        fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, seals | fcntl.F_SEAL_SEAL)
        self._map()

    @classmethod
    def attach(cls, places: Mapping[str, Place], file: int, read_only: bool = True) -> "SharedTensors":
        """Map tensors that another process shares as `file`, laid out at `places`; every page, if only to be read."""
        shared = cls.__new__(cls)
        shared.read_only, shared.places, shared.file = read_only, dict(places), file
        shared.size = os.fstat(file).st_size
        shared._map(mmap.MAP_POPULATE if read_only else 0)
        return shared

    def copy(self) -> "SharedTensors":
        """Share the same values once more, in a file of its own."""
        return SharedTensors(self.tensors, self.read_only)

    def _map(self, flags: int = 0) -> None:
        protection = mmap.PROT_READ | (0 if self.read_only else mmap.PROT_WRITE)
        self.memory = mmap.mmap(self.file, self.size, mmap.MAP_SHARED | flags, protection)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given buffer is not writable")
            buffer = torch.frombuffer(self.memory, dtype=torch.uint8)
        self.tensors = {
            name: buffer[place.offset : place.offset + place.size].view(place.dtype).view(place.shape)
            for name, place in self.places.items()
        }

    def write(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy `tensors` in, from whatever device they are on; returns when they are complete.

        Raises `ValueError` where names, shapes or dtypes are not those of the layout.
        """
        if tensors.keys() != self.tensors.keys():
            raise ValueError(f"names {sorted(tensors.keys() ^ self.tensors.keys())} are missing or too many")
        for name, tensor in tensors.items():
            if tensor.shape != self.tensors[name].shape or tensor.dtype != self.tensors[name].dtype:
                raise ValueError(
                    f"{name} is {tuple(tensor.shape)} {tensor.dtype}: it must be "
                    f"{self.places[name].shape} {self.places[name].dtype}"
                )
        if any(tensor.is_cuda for tensor in tensors.values()):
            tensors = _gather_on_host(tensors)
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)

    def close(self) -> None:
        """Give the memory back; tensors that still look at it keep it alive."""
        self.tensors = {}
        os.close(self.file)


def bytes_file(content: bytes) -> int:
    """Put bytes into anonymous memory, to be passed on as a file that is read from its beginning."""
    file = os.memfd_create("timetrial", os.MFD_CLOEXEC)
    with open(file, "wb", closefd=False) as writable:
        writable.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _gather_on_host(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Bring tensors from a GPU with one copy, since a copy for each costs more than all their bytes."""
    flat = [tensor.detach().reshape(-1).view(torch.uint8) for tensor in tensors.values()]
    pieces = torch.cat(flat).cpu().split([piece.numel() for piece in flat])
    return {
        name: piece.clone().view(tensor.dtype).view(tensor.shape)
        for (name, tensor), piece in zip(tensors.items(), pieces, strict=True)
    }
