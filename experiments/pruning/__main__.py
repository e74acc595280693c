from experiments.lab import main
from experiments.pruning import Config, report, run

main("pruning", Config, run, report)
