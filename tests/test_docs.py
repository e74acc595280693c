"""The pages of the documentation show what there is: every experiment, figure and public name."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FINDINGS = DOCS / "findings"
SOURCES = {
    **{path.stem: path for path in (ROOT / "experiments").glob("[!_]*.py")},
    **{
        path.parent.name: path.with_name("__init__.py")
        for path in (ROOT / "experiments").glob("*/__main__.py")
    },
}
EXPERIMENTS = sorted(SOURCES)
PAGES = {path.stem: path.read_text() for path in FINDINGS.glob("*.md") if path.stem != "index"}
SECTIONS = ["Claim", "Verdict", "Numbers", "What does not follow", "How it was measured"]
FIGURE = r"figures/([\w.]+\.png)"
PACKAGES = ["ibjax", "ibjax.mi", "ibjax.bottleneck", "ibjax.datasets", "ibjax.training", "ibjax.plots"]


def commands_of(experiment: str) -> list[str]:
    """The commands of an experiment's header, without what it says of them in brackets."""
    header = ast.get_docstring(ast.parse(SOURCES[experiment].read_text())) or ""
    lines = re.findall(r"^(?:Command:)? *(python -m experiments\..*)$", header, re.M)
    return [re.sub(r" {2,}\(.*", "", line).strip() for line in lines]


def figures_in(text: str) -> set[str]:
    return set(re.findall(FIGURE, text))


def test_every_experiment_has_a_page():
    assert sorted(PAGES) == EXPERIMENTS


@pytest.mark.parametrize("name", EXPERIMENTS)
class TestFinding:
    def test_begins_with_the_commands_of_its_experiment(self, name):
        blocks = re.findall(r"^```bash\n(.*?)^```", PAGES[name], re.S | re.M)
        expected = commands_of(name)
        assert expected
        assert expected[0].startswith(f"python -m experiments.{name}")
        assert blocks[0].splitlines() == expected
        assert PAGES[name].index("```bash") < PAGES[name].index("## Claim")

    def test_has_all_sections(self, name):
        assert re.findall(r"^## (.*)", PAGES[name], re.M) == SECTIONS

    def test_shows_figures_that_exist(self, name):
        figures = figures_in(PAGES[name])
        assert figures
        assert {figure for figure in figures if not (DOCS / "figures" / figure).exists()} == set()

    def test_has_a_card_and_a_place_in_the_index(self, name):
        index = (FINDINGS / "index.md").read_text()
        question = PAGES[name].splitlines()[0].removeprefix("# ")
        (card,) = re.findall(
            rf"^:::{{grid-item-card}} (?:(?!^:::$).)*?^:link: {name}$.*?^:::$", index, re.S | re.M
        )
        assert card.startswith(f":::{{grid-item-card}} {question}\n")
        assert f"`python -m experiments.{name}`" in card
        assert figures_in(card) <= figures_in(PAGES[name])
        entries = re.findall(r"^```\{toctree\}(.*?)^```", index, re.S | re.M)
        assert sum(entry.split().count(name) for entry in entries) == 1


def test_every_figure_is_shown():
    shown = set().union(*map(figures_in, [*PAGES.values(), (ROOT / "README.md").read_text()]))
    assert {path.name for path in (DOCS / "figures").iterdir()} == shown


def test_every_notebook_is_a_tutorial():
    listed = re.findall(r"^notebooks/(\w+)$", (DOCS / "index.md").read_text(), re.M)
    assert listed == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package):
    documented = set()
    for page in (DOCS / "api").glob("*.md"):
        documented |= set(re.findall(r"^\.\. auto(?:function|class):: (\w+)", page.read_text(), re.M))
    assert {name for name in importlib.import_module(package).__all__ if name[0] != "_"} <= documented


def test_the_readme_is_one_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130
