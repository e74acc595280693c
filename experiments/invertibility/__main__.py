from experiments.invertibility import Config, report, run
from experiments.lab import main

main("invertibility", Config, run, report)
