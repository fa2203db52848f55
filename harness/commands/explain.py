"""Run a small experiment that shows why optimizers rank as they do; without a name, list the experiments.

It writes figure.svg, data.csv and a paragraph of what was seen (seen.md), which it prints.
"""

import argparse

from timetrial.harness import UsageError

EXAMPLE = "timetrial explain trajectories submission=[sgd,adamw] output=DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the experiment; without it, all are listed")
    parser.add_argument("options", nargs="*", metavar="key=value", help="its options, seed, data, data_root, output")
    parser.add_argument("--gallery", action="store_true", help="write the page with all figures that are there")


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.explain import experiment
    from timetrial.harness.explain.gallery import write_gallery
    from timetrial.harness.planning.places import make_output

    if options.gallery:
        if options.name is not None:
            raise UsageError(f"{options.name} with --gallery: the page shows all experiments; give no name")
        print(write_gallery(experiment.default_output("").resolve()))
        return 0
    if options.name is None:
        width = max(map(len, experiment.EXPERIMENTS))
        for name, line in experiment.EXPERIMENTS.items():
            print(f"{name:{width}}  {line}")
        return 0
    import torch  # slow, and the list does not need it

    module = experiment.find_experiment(options.name)
    chosen, output = experiment.read_options(module.Options, options.options)
    folder = make_output(experiment.default_output(options.name) if output is None else output)
    torch.set_num_threads(1)  # as a trial: sums in one order on any machine, and small models gain nothing by more
    finding = module.run(chosen)
    files = experiment.write(options.name, chosen, finding, folder)
    print(finding.paragraph)
    for file in files:
        print(file)
    return 0
