from experiments.ib_gaps import Config, report, run
from experiments.lab import main

main("ib_gaps", Config, run, report)
