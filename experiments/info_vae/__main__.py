from experiments.info_vae import Config, report, run
from experiments.lab import main

main("info_vae", Config, run, report)
