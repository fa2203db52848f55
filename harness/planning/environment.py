"""The machine and the libraries that a trial ran on, as far as they can move a clock or a metric."""

import contextlib
import functools
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.places import CLONE

LIBRARIES = ("torch", "torchvision", "numpy", "datasets", "schedulefree", "prodigyopt")


@functools.cache
def describe_machine() -> dict[str, Any]:
    """Describe hardware, system, libraries and the commit of the clone. Does not import torch."""
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor("model name") or platform.processor() or platform.machine(),
        "processor_family": _family(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": gpus(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "commit": _commit(),
    }


def is_same_machine(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether two environments have one processor family and the same GPUs; what is not recorded is not the same."""
    family = recorded.get("processor_family")
    return family is not None and family == here.get("processor_family") and recorded["gpus"] == here["gpus"]


@functools.cache
def gpus() -> list[str]:
    """List the GPUs that this process may use, each as name, memory, driver, highest clock (from `nvidia-smi`)."""
    query = ["nvidia-smi", "--query-gpu=uuid,name,memory.total,driver_version,clocks.max.sm", "--format=csv,noheader"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        lines = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.splitlines()
        return _visible(dict(line.split(", ", 1) for line in lines), os.environ.get("CUDA_VISIBLE_DEVICES"))
    return []


def _visible(by_uuid: Mapping[str, str], visible: str | None) -> list[str]:
    """Choose the GPUs that `CUDA_VISIBLE_DEVICES` names: by number, by UUID or its beginning, or as a part (MIG)."""
    every = list(by_uuid.values())
    if visible is None or not every:
        return every
    found = []
    for name in filter(None, map(str.strip, visible.split(","))):
        if name.isdigit():
            found += every[int(name) : int(name) + 1]
        elif name.startswith("MIG-"):
            found.append(f"part of {every[0]}")  # of which one, nothing here says
        else:
            found += [gpu for uuid, gpu in by_uuid.items() if uuid.startswith(name)][:1]
    return found


def choose_device(wanted: Any) -> str:
    """Choose cuda where there is a GPU and nothing else is asked for; raises `UsageError` for other names."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device is {wanted!r}: choose auto, cpu or cuda")
    if wanted == "cuda" and not gpus():
        raise UsageError("device=cuda, but nvidia-smi lists no GPU here: use device=cpu")
    return ("cuda" if gpus() else "cpu") if wanted == "auto" else wanted


def has_compiler() -> bool:
    """Whether torch can compile for the CPU: with g++ and the headers of Python."""
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return shutil.which("g++") is not None and headers.exists()


def _processor(key: str) -> str | None:
    """Read what `/proc/cpuinfo` says of the first core under `key`; None where it does not."""
    with contextlib.suppress(OSError):
        if match := re.search(rf"^{key}\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return match.group(1)
    return None


def _family() -> str | None:
    """Name the generation of the processor, which libraries choose their kernels by; None where nothing says it.

    A virtual machine may hide the name of its processor, and seldom its numbers.
    """
    vendor, family, model, flags = (_processor(key) for key in ("vendor_id", "cpu family", "model", "flags"))
    if vendor is None or flags is None:
        return None
    widest = next((name for name in ("avx512f", "avx2") if name in flags.split()), "no avx2")
    return f"{vendor} family {family} model {model}, {widest}"


def _version(name: str) -> str | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return None


def _commit() -> str | None:
    """Name the commit of the clone, with `-dirty` where anything but its results has changed since."""
    if CLONE is None:
        return None
    git = functools.partial(subprocess.run, capture_output=True, text=True, timeout=10, cwd=CLONE)
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = git(["git", "describe", "--always", "--abbrev=12"], check=True).stdout.strip()
        changed = git(["git", "diff", "--quiet", "HEAD", "--", ".", ":!results"]).returncode
        return f"{commit}-dirty" if changed else commit
    return None
