"""The configuration of a run, composed by Hydra from `configs/` and checked."""

import difflib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.places import CONFIGS
from timetrial.harness.planning.suite_file import is_suite_file, read_suite

RUN_ONLY = ("run", "reference", "reference_studies", "ruleset.studies", "ruleset.trials", "space")
"""Keys of `timetrial run` alone: other verbs name their runs, and choose references, trials and values themselves."""


def options(group: str) -> list[str]:
    """List the choices of a group of `configs/`, such as `suite`."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def compose(overrides: list[str], refused: Collection[str] = ()) -> dict[str, Any]:
    """Compose the configuration of `timetrial run` from Hydra overrides such as `suite=mini`.

    Raises `UsageError` for an override that Hydra does not take, with its reason in a line, and for one of a key, or
    in a group, that is `refused` since it would change nothing.
    """
    import hydra  # 0.3 s to import, which `--help` need not pay
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for override in overrides:
        if "=" not in override:
            raise UsageError(f"{override!r} is no override: write key=value, such as suite=mini")
        key = override.lstrip("+~").partition("=")[0]
        if key in refused or key.partition(".")[0] in refused:
            raise UsageError(f"{override}: only timetrial run takes this; leave it out, it would change nothing here")
    overrides = [_stored(override) for override in overrides]
    try:
        with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = hydra.compose("config", overrides=overrides)
        return OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: of a group that is a number
        raise UsageError(_in_one_line(error, overrides)) from None


def _remedy(override: str) -> str:
    """Say how an override that Hydra refuses may be meant; empty where that is not known."""
    key, _, value = override.partition("=")
    first, _, second = key.partition(".")
    keys = [key for key in _keys_of(CONFIGS / "config.yaml") if key not in ("defaults", "hydra")]
    for group in ("ruleset", "executor"):
        having = {name: _keys_of(CONFIGS / group / f"{name}.yaml") for name in options(group)}
        inside = list(dict.fromkeys(key for its in having.values() for key in its if key != "name"))
        if key in inside:
            return f"write {group}.{override}"
        with_it = [f"{group}={name}" for name in having if second in having[name]]
        if first == group and second in inside and len(with_it) < len(having):
            return f"add {' or '.join(with_it)}, which has it"
        if first == group and second and second not in inside:
            return _did_you_mean(second, inside, f"{group}.", "=")
    if first == "seed":
        return "the number of a study seeds it: raise ruleset.studies, or timetrial judge --first-study"
    if first == "space":
        return f"write +{override}"
    if first.isidentifier() and first not in keys:
        return _did_you_mean(first, keys, "", "=")
    if "," in value and not value.startswith(("[", "{", "'", '"')):
        return f"a list has brackets: write {key}=[{value}]"
    if value.count("[") != value.count("]"):
        return "a bracket is missing"
    if re.search(r"[^\w./:@+~%-]", value) and not value.startswith(("[", "{", "'", '"')):
        return f"quote a value with spaces or signs twice: \"{key}='{value}'\""
    return ""


def _keys_of(file: Path) -> list[str]:
    return re.findall(r"(?m)^(?:  - )?(\w+):", file.read_text())


def _did_you_mean(name: str, known: list[str], before: str = "", after: str = "") -> str:
    close = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(before + one for one in known)
    return f"did you mean {before}{close[0]}{after}?" if close else f"choose of {listed}"


def _stored(override: str) -> str:
    """Have Hydra find the suite of a file, such as `suite=./mine.yaml`, by its name; other overrides stay."""
    from hydra.core.config_store import ConfigStore

    key, value = _parts(override)
    if key != "suite" or not is_suite_file(value):
        return override
    suite = read_suite(value)
    ConfigStore.instance().store(group="suite", name=suite["name"], node=suite, package="suite")
    return f"suite={suite['name']}"


def _parts(override: str) -> tuple[str, str]:
    """Give the key of an override and its value, without quotes."""
    key, _, value = override.lstrip("+~").partition("=")
    return key, value[1:-1] if value[:1] == value[-1:] and value[:1] in ("'", '"') else value


def _in_one_line(error: Exception, overrides: list[str]) -> str:
    overrides = [" ".join(override.split()) for override in overrides]
    for override in overrides:
        key, value = _parts(override)
        known = options(key) if (CONFIGS / key).is_dir() else []
        if known and value not in known:
            return f"unknown {key} {value!r}: {_did_you_mean(value, known)}"
    for override in overrides:
        if remedy := _remedy(override):
            return f"{override}: {remedy}"
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"{' '.join(overrides)}: {reason.rstrip('.')}: {CONFIGS / 'config.yaml'} shows what can be overridden"
