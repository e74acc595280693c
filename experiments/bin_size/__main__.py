from experiments.bin_size import Config, report, run
from experiments.lab import main

main("bin_size", Config, run, report)
