from experiments.generalisation import Config, report, run
from experiments.lab import main

main("generalisation", Config, run, report)
