"""What the README of the study says: its code runs, and its numbers are so."""

import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from regularizer_study.datasets import SPECS
from regularizer_study.factors import profile
from regularizer_study.nets import Net

STUDY = Path(__file__).parents[1] / "examples" / "regularizer_study"
README = (STUDY / "README.md").read_text(encoding="utf-8")


def test_its_code_runs():
    blocks = re.findall(r"^```python\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    found = {}
    for block in blocks:
        exec(block, found)

    assert len(blocks) == 2
    assert found["published"] == 0.96994
    assert found["pixels"].shape == (3, 32, 32)
    assert (found["pixels"].unique().item(), found["label"]) == (1.0, 7)


def test_it_names_every_data_set_with_its_source():
    for name, spec in SPECS.items():
        assert f"`{name}`" in README
        assert name == "digits" or spec.source in README


def test_its_parameters_are_those_of_the_nets():
    for depth in (5, 10, 18):
        net = Net("cnn", depth, in_shape=(3, 32, 32))()
        count = sum(parameter.numel() for parameter in net.parameters())
        assert re.search(rf"^\| {depth} \| .* \| {count:,} \|$", README, flags=re.MULTILINE)


def test_its_numbers_of_cells_are_those_of_the_profiles():
    assert f"`ci` | {len(profile('ci').cells)} cells" in README
    assert f"{len(profile('published').cells)} cells of 25 epochs" in README
    assert f"{len(profile('full').cells):,} cells" in README
