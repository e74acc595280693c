from experiments.early_stopping import Config, report, run
from experiments.lab import main

main("early_stopping", Config, run, report)
