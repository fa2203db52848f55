"""The suites' configs name real workloads, with sizes that these accept and numbers that fit together."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

from timetrial.harness.workload import Workload

CONFIGS = Path(__file__).parents[2] / "configs"
SUITES = sorted(path.stem for path in (CONFIGS / "suite").glob("*.yaml"))
FOUR = ["cifar_resnet", "fashion_mnist_mlp", "modular_division", "small_gpt"]
EIGHT = [
    "adult_dlrm",
    "cifar_resnet",
    "cifar_vit",
    "digits_conformer",
    "digits_deepspeech",
    "mri_unet",
    "multi30k_transformer",
    "tox21_gnn",
]


def load_suite(name: str) -> dict:
    with initialize_config_dir(str(CONFIGS), version_base=None):
        config = compose("config", [f"suite={name}", "submission=any"])
    return OmegaConf.to_container(config.suite)


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_has_its_four_or_eight_workloads_at_sizes_they_accept(suite):
    config = load_suite(suite)
    assert config["name"] == suite and config["data"] in ("real", "synthetic")
    assert sorted(config["workloads"]) == (EIGHT if suite == "miniature" else FOUR)
    for entry in config["workloads"].values():
        assert isinstance(get_class(entry["implementation"])(**entry["sizes"]), Workload)


@pytest.mark.parametrize("suite", SUITES)
def test_a_budget_has_at_least_twelve_evaluations(suite):
    for name, entry in load_suite(suite)["workloads"].items():
        batches_in_a_budget = entry["step_hint"] / 0.7
        assert batches_in_a_budget / entry["eval_every"] >= 12, name


def test_the_quickstart_needs_no_data_and_no_patience():
    config = load_suite("quickstart")
    assert config["data"] == "synthetic"
    assert all(entry["budget_seconds"] <= 5 for entry in config["workloads"].values())


def test_the_full_suite_has_the_full_sizes():
    for name, entry in load_suite("full")["workloads"].items():
        implementation = get_class(entry["implementation"])
        assert implementation(**entry["sizes"] | {"precision": "float32"}) == implementation(), name
