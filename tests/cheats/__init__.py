"""Submissions that cheat. Each is caught, or gains nothing over its honest twin, the same optimizer without it."""
