"""The tables of calls are imported by the tests alone: making their arguments compiles programs."""

collect_ignore = ["calls_analysis.py", "calls_mi.py"]
