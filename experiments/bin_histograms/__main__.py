from experiments.bin_histograms import Config, report, run
from experiments.lab import main

main("bin_histograms", Config, run, report)
