"""Shared by all tests: trainees start from a process that has imported torch, as in a slot."""

import multiprocessing
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and so in what tests start

multiprocessing.get_context("forkserver").set_forkserver_preload(
    [
        "harness.trial.preload",
        "workloads.fashion_mnist_mlp",
        "workloads.cifar_resnet",
        "workloads.small_gpt",
        "workloads.modular_division",
    ]
)
