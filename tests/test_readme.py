"""The README's Python examples run as written, one after another."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.S | re.M)
    assert len(blocks) == 3
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert re.search(r"I\(X;T\) = \d+\.\d\d bits", capsys.readouterr().out)
    assert (tmp_path / "plane.png").stat().st_size > 1000


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    missing = [link for link in links if not (README.parent / link).exists()]
    assert missing == []
