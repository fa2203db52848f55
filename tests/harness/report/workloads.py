"""Workloads as a report knows them: their metric and its direction, and nothing that trains."""


class Accuracy:
    metric = "accuracy"
    higher_is_better = True


class Loss:
    metric = "loss"
    higher_is_better = False
