"""Shared by all tests: trainees start from a process that has imported torch, as in a slot."""

import multiprocessing

multiprocessing.get_context("forkserver").set_forkserver_preload(
    [
        "harness.trial.preload",
        "workloads.fashion_mnist_mlp",
        "workloads.cifar_resnet",
        "workloads.small_gpt",
        "workloads.modular_division",
    ]
)
