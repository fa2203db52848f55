"""The configuration of a run, composed by Hydra from `configs/` and checked."""

import difflib
import re
from collections.abc import Collection
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.places import CONFIGS
from timetrial.harness.planning.suite_file import is_suite_file, read_suite

RULESETS = ("external", "self_tuning")

OF_A_RULESET = ("studies", "trials")

RUN_ONLY = ("run", "reference", "reference_studies")
"""Keys of `timetrial run` alone: other verbs name their runs and choose their references themselves."""


def options(group: str) -> list[str]:
    """List the choices of a group of `configs/`, such as `suite`."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def compose(overrides: list[str], refused: Collection[str] = ()) -> dict[str, Any]:
    """Compose the configuration of `timetrial run` from Hydra overrides such as `suite=mini`.

    Raises `UsageError` for an override that Hydra does not take, with its reason in a line, and for one of a key that
    is `refused` since it would change nothing.
    """
    import hydra  # 0.3 s to import, which `--help` need not pay
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for override in overrides:
        if "=" not in override:
            raise UsageError(f"{override!r} is no override: write key=value, such as suite=mini")
        if override.lstrip("+~").partition("=")[0] in refused:
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
    first = key.partition(".")[0]
    keys = re.findall(r"(?m)^(?:  - )?(\w+):", (CONFIGS / "config.yaml").read_text())
    keys = [key for key in keys if key not in ("defaults", "hydra")]
    if key in OF_A_RULESET:
        return f"write ruleset.{override}"
    if first == "space":
        return f"write +{override}"
    if first.isidentifier() and first not in keys:
        close = difflib.get_close_matches(first, keys, n=1)
        return f"did you mean {close[0]}=?" if close else f"no such key: there are {', '.join(keys)}"
    if "," in value and not value.startswith(("[", "{", "'", '"')):
        return f"a list has brackets: write {key}=[{value}]"
    if value.count("[") != value.count("]"):
        return "a bracket is missing"
    if re.search(r"[^\w./:@+~%-]", value) and not value.startswith(("[", "{", "'", '"')):
        return f"quote a value with spaces or signs twice: \"{key}='{value}'\""
    return ""


def _stored(override: str) -> str:
    """Have Hydra find the suite of a file, such as `suite=./mine.yaml`, by its name; other overrides stay."""
    from hydra.core.config_store import ConfigStore

    key, _, value = override.partition("=")
    if key != "suite" or not is_suite_file(value):
        return override
    suite = read_suite(value)
    ConfigStore.instance().store(group="suite", name=suite["name"], node=suite, package="suite")
    return f"suite={suite['name']}"


def _in_one_line(error: Exception, overrides: list[str]) -> str:
    overrides = [" ".join(override.split()) for override in overrides]
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        known = options(key) if (CONFIGS / key).is_dir() else []
        if known and value not in known:
            close = difflib.get_close_matches(value, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"choose of {', '.join(known)}"
            return f"unknown {key} {value!r}: {remedy}"
    for override in overrides:
        if remedy := _remedy(override):
            return f"{override}: {remedy}"
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"{' '.join(overrides)}: {reason.rstrip('.')}: {CONFIGS / 'config.yaml'} shows what can be overridden"
