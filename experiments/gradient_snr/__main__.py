from experiments.gradient_snr import Config, report, run
from experiments.lab import main

main("gradient_snr", Config, run, report)
