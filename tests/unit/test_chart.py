"""Plots of our own: values in their places, round ticks, hover texts and links that are escaped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from lstv.report.chart import Chart, axis


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (4.2, 5.9, ["4.5", "5", "5.5"]),
        (0.0, 4800.0, ["0", "1,000", "2,000", "3,000", "4,000"]),
        (-0.3, 0.3, ["−0.2", "0", "0.2"]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert [text for _, text in axis("", low, high).ticks] == ticks


def test_counts_have_whole_ticks_and_one_value_has_an_axis():
    assert [value for value, _ in axis("", 0, 2, whole=True).ticks] == [0, 1, 2]
    single = axis("", 5.0, 5.0)
    assert single.low < 5 < single.high
    assert axis("", 0.0, 0.0).high > 0


def test_values_go_where_they_belong_and_texts_are_escaped():
    chart = Chart("plot", 'a "b" <c>', "d & e", axis("x", 0, 10), axis("y", 0, 1))
    chart.point(0, 0, "study <1>", link='a"b.html')
    chart.point(10, 1, "last")
    chart.bar(2, 4, 0.5, "two")
    chart.threshold(5, "high > 5")
    tree = ElementTree.fromstring(chart.svg())
    first, last = tree.findall(".//circle")
    bottom = float(tree.find("line[@class='edge']").get("y1"))
    assert float(first.get("cy")) == bottom > float(last.get("cy")) and float(first.get("cx")) < float(last.get("cx"))
    bar = tree.find(".//rect")
    assert float(bar.get("y")) + float(bar.get("height")) == pytest.approx(bottom, abs=0.1)
    assert tree.find("a").get("href") == 'a"b.html' and first.find("title").text == "study <1>"
    assert tree.find("title").text == 'a "b" <c>'
    assert not re.search(r"\bstyle=", chart.svg())
