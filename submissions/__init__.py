"""The training algorithms: one folder each, with what they share (schedules, groups, averaging) beside them."""
