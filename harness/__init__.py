"""The machine of TimeTrial: plan, executors, referee, trainee, clock, records, scoring, report, command line.

Importing this package does not import torch.
"""
