"""The training algorithms: one folder each, with what they share (schedules, parameter groups, averaging) beside them."""
