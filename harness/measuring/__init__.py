"""What the harness costs on top of training, and where targets, budgets and step hints come from."""
