"""Shared by all tests: trainees start from a process that has imported torch, as in a slot."""

import multiprocessing
import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and so in what tests start

multiprocessing.get_context("forkserver").set_forkserver_preload(
    [
        "timetrial.harness.trial.preload",
        "timetrial.workloads.fashion_mnist_mlp",
        "timetrial.workloads.cifar_resnet",
        "timetrial.workloads.small_gpt",
        "timetrial.workloads.modular_division",
    ]
)
