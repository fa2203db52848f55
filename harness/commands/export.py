"""Write the records of runs for other tools: tables (csv, parquet), TensorBoard's event files, or runs of wandb.

csv and parquet hold a table of the trials and one of their evaluations. wandb's runs are written without a network;
`wandb sync DIR` uploads them.
"""

import argparse
from pathlib import Path

EXAMPLE = "timetrial export quickstart --to parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="name or folder of a run, or of committed results")
    parser.add_argument("--to", required=True, metavar="FORM", help="csv, parquet, tensorboard or wandb")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to write; by default report/FORM in the run")


def main(options: argparse.Namespace) -> int:
    import timetrial

    for file in timetrial.read(*options.runs).export(options.to, options.output):
        print(file)
    return 0
