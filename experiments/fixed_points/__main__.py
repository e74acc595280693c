from experiments.fixed_points import Config, report, run
from experiments.lab import main

main("fixed_points", Config, run, report)
