"""Shared by all tests."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and so in what tests start
