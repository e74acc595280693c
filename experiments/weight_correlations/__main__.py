from experiments.lab import main
from experiments.weight_correlations import Config, report, run

main("weight_correlations", Config, run, report)
