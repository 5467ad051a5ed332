from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nasprof.spaces._genes import sample
from nasprof.spaces._picture import Edge, Picture, picture
from nasprof.spaces._show import list_spaces, show
from nasprof.spaces._space import Space
from nasprof.spaces.nasbench201 import PLUGIN as NASBENCH201
from profiler.core.plugins import load, names

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", names("nasprof.spaces"))
def test_every_candidate_has_a_picture_that_stands_alone(name: str) -> None:
    space: Space = load("nasprof.spaces", name)
    for genes in sample(space, 3, np.random.default_rng(0)):
        drawn = picture(space, genes)
        root = ET.fromstring(drawn.svg())
        assert root.tag == f"{SVG}svg"
        texts = [text.text for text in root.iter(f"{SVG}text")]
        assert set(drawn.nodes) <= set(texts)
        assert "http" not in drawn.svg().replace("http://www.w3.org/2000/svg", "")
        assert len(drawn.text().splitlines()) == len(drawn.nodes)


def test_a_cell_is_drawn_with_its_operations_and_dead_edges() -> None:
    genes = NASBENCH201.parse(
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|none~2|"
    )
    drawn = picture(NASBENCH201, genes)
    assert drawn.edges == (
        Edge(0, 1, "nor_conv_3x3", dead=True),
        Edge(1, 2, "nor_conv_1x1", dead=True),
        Edge(0, 3, "skip_connect"),
    )
    assert drawn.text().splitlines() == [
        "  0 input",
        "  1 node 1  <-  [nor_conv_3x3(0)]",
        "  2 node 2  <-  [nor_conv_1x1(1)]",
        "  3 output  <-  skip_connect(0)",
    ]
    assert drawn.svg().count('class="dead"') == 4


def test_labels_cannot_break_the_drawing() -> None:
    drawn = Picture(("<input>", "a & b"), (Edge(0, 1, "<script>"),))
    assert [t.text for t in ET.fromstring(drawn.svg()).iter(f"{SVG}text")] == [
        "<script>",
        "<input>",
        "a & b",
    ]


def test_a_shown_candidate_has_its_index_and_cost() -> None:
    shown = show(NASBENCH201, NASBENCH201.at(857))
    assert (shown.index, shown.neighbours) == (857, 24)
    text = "\n".join(shown.lines())
    assert "nasbench201:857" in text
    assert NASBENCH201.describe(NASBENCH201.at(857)) in text
    assert "3x32x32" in text
    assert shown.macs > 0


def test_spaces_are_listed_with_their_sizes() -> None:
    sizes = {info.name: info.size for info in list_spaces()}
    assert sizes["nasbench201"] == 15_625
    assert sizes["transnas-macro"] == 3256
    assert set(sizes) == set(names("nasprof.spaces"))
    texts = {info.name: info.size_text for info in list_spaces()}
    assert texts["transnas-micro"] == "4,096"
    assert texts["fbnet"] == "about 1e+21"
