"""Runs from the command line, in this process."""

import sys

import pytest

from experiments.lab import LabConfig, main
from tests.experiments.lab import quick_run


@pytest.fixture
def quick(tmp_path, monkeypatch, capsys):
    """Run it from the command line, in this process: exit code, output, errors."""

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["quick", "--out", str(tmp_path), *options])
        code = 0
        try:
            main("quick", LabConfig, quick_run.run, quick_run.report)
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run
