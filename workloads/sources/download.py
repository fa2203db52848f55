"""Files of one known content: from a folder, or else downloaded into the cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource, cache_folder
from timetrial.workloads.sources.cache import hash_files


@dataclass(frozen=True)
class DataSet:
    """The files of a data set, each with one sha256, whose name is also the end of their address."""

    name: str
    folder: str
    """Below `data_root` or the cache."""
    url: str
    """The address of the folder that has the files, at a pinned revision where there are revisions."""
    sha256: Mapping[str, str]
    """By the name of the file."""

    @property
    def remedy(self) -> str:
        return f"pass data_root=DIR with DIR/{self.folder} ({', '.join(self.sha256)} of {self.url}), or data=synthetic"

    def find(self, source: DataSource, *names: str) -> list[Path]:
        """Give the paths of the files `names`.

        Raises `UsageError` where one is neither in `source.root` nor, without a root, can be downloaded, or differs.
        """
        return [self._find(source, name) for name in names]

    def _find(self, source: DataSource, name: str) -> Path:
        path = (source.root or cache_folder()) / self.folder / name
        if source.root is None and not path.is_file():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(
                    f"{self.url}/{name}", str(path), hash_prefix=self.sha256[name], progress=False
                )
            except (OSError, RuntimeError) as error:
                reason = " ".join(str(error).split())
                raise UsageError(
                    f"{self.name} is not in the cache and download failed ({reason}): {self.remedy}"
                ) from error
        if not path.is_file():
            raise UsageError(f"{self.name} not found: {path} is missing: {self.remedy}")
        if (found := hash_files(path)) != self.sha256[name]:
            raise UsageError(
                f"{path} is not that of {self.name}: its sha256 is {found[:12]}..., not {self.sha256[name][:12]}...: "
                f"{self.remedy}"
            )
        return path
