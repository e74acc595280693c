from experiments.finite_samples import Config, report, run
from experiments.lab import main

main("finite_samples", Config, run, report)
