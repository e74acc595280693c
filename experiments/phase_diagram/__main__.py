from experiments.phase_diagram import Config, main, report, run

main("phase_diagram", Config, run, report)
