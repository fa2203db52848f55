"""TimeTrial: which training algorithm reaches the target first? Importing this package does not import torch."""
