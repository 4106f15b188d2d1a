"""Plots drawn as SVG of our own: small, in the page's colours, with the values on hover and links to the studies.

No style attributes: colours and widths are classes of the page's style sheet, so that a strict policy can allow that sheet
and nothing else. Every number that a hover shows is also in a table of the page.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 460, 320
"""Units of a plot: letters of 12 stay readable when it is as wide as a phone."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 46


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``; ``ticks`` are (value, text)."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


def axis(label: str, low: float, high: float, *, margin: float = 0.0, whole: bool = False) -> Axis:
    """An axis with round ticks. ``margin`` is a share of the range added at both ends; ``whole`` allows whole ticks only."""
    if high <= low:
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread / 2, high + spread / 2
    room = margin * (high - low)
    low, high = low - room, high + room
    return Axis(label, low, high, tuple((value, _tick(value, high - low)) for value in _round_steps(low, high, whole)))


def _round_steps(low: float, high: float, whole: bool) -> list[float]:
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough)
    step = max(step, 1.0) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _tick(value: float, spread: float) -> str:
    decimals = max(0, 1 - math.floor(math.log10(spread))) if spread < 10 else 0
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "\u2212") if float(text.replace(",", "")) else "0"


@dataclass
class Chart:
    """One plot. ``name`` is unique in the page; ``title`` and ``description`` are what a screen reader says.

    Points are drawn in the order of the calls. ``hover`` texts are shown by the browser beside the pointer.
    """

    name: str
    title: str
    description: str
    x: Axis
    y: Axis
    height: int = HEIGHT
    _parts: list[str] = field(default_factory=list)

    def across(self, value: float) -> float:
        """Horizontal place of a value, in units of the drawing."""
        return round(_LEFT + (value - self.x.low) / (self.x.high - self.x.low) * (WIDTH - _LEFT - _RIGHT), 1)

    def down(self, value: float) -> float:
        """Vertical place of a value, in units of the drawing."""
        return round(self.height - _BOTTOM - (value - self.y.low) / (self.y.high - self.y.low) * self._tall(), 1)

    def _tall(self) -> float:
        return self.height - _TOP - _BOTTOM

    def bar(self, left: float, right: float, top: float, hover: str, kind: str = "bar", bottom: float = 0.0) -> None:
        """A rectangle between values."""
        x, y = self.across(left), self.down(top)
        size = f'width="{self.across(right) - x:.1f}" height="{self.down(bottom) - y:.1f}"'
        self._parts.append(f'<rect class="{kind}" x="{x}" y="{y}" {size}>{_hover(hover)}</rect>')

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str, hover: str = "") -> None:
        """A line through points."""
        path = " ".join(f"{self.across(x)},{self.down(y)}" for x, y in zip(xs, ys))
        self._parts.append(f'<polyline class="{kind}" points="{path}">{_hover(hover)}</polyline>')

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
        """The area between two lines."""
        there = [f"{self.across(x)},{self.down(y)}" for x, y in zip(xs, high)]
        back = [f"{self.across(x)},{self.down(y)}" for x, y in zip(xs, low)]
        self._parts.append(f'<polygon class="band" points="{" ".join([*there, *reversed(back)])}"/>')

    def point(
        self, x: float, y: float, hover: str, link: str | None = None, kind: str = "dot", radius: float = 4
    ) -> None:
        """A dot; with a link it leads to what it stands for."""
        dot = (
            f'<circle class="{kind}" cx="{self.across(x)}" cy="{self.down(y)}" r="{radius:g}">{_hover(hover)}</circle>'
        )
        # not a stop of the tab key: the table has the same links, in order and with words
        opened = f'<a href="{html.escape(link)}" tabindex="-1" aria-label="{html.escape(hover)}">' if link else ""
        self._parts.append(f"{opened}{dot}</a>" if link else dot)

    def threshold(self, value: float, text: str, row: int = 0) -> None:
        """A dashed upright line with words beside it; ``row`` keeps the words of several apart."""
        x = self.across(value)
        to_right = value < (self.x.low + self.x.high) / 2
        end = "start" if to_right else "end"
        self._parts.append(
            f'<line class="mark" x1="{x}" x2="{x}" y1="{_TOP}" y2="{self.height - _BOTTOM}"/>'
            f'<text class="said-of" x="{x + (5 if to_right else -5)}" y="{_TOP + 12 + 16 * row}" text-anchor="{end}">'
            f"{html.escape(text)}</text>"
        )

    def words(self, x: float, y: float, text: str, end: str = "start") -> None:
        """Words at a place of the plot."""
        self._parts.append(
            f'<text class="said-of" x="{self.across(x)}" y="{self.down(y)}" text-anchor="{end}">{html.escape(text)}</text>'
        )

    def svg(self) -> str:
        """The ``<svg>`` element."""
        bottom, right = self.height - _BOTTOM, WIDTH - _RIGHT
        frame = [f'<line class="edge" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>']
        for value, text in self.x.ticks:
            x = self.across(value)
            frame.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"/>')
            frame.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{html.escape(text)}</text>')
        for value, text in self.y.ticks:
            y = self.down(value)
            frame.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>')
            frame.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{html.escape(text)}</text>')
        middle = (_TOP + bottom) / 2
        frame.append(
            f'<text class="axis" x="{(_LEFT + right) / 2}" y="{self.height - 8}" text-anchor="middle">'
            f"{html.escape(self.x.label)}</text>"
        )
        if self.y.label:
            frame.append(
                f'<text class="axis" x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
                f"{html.escape(self.y.label)}</text>"
            )
        return (
            f'<svg class="chart" role="group" viewBox="0 0 {WIDTH} {self.height}" aria-labelledby="{self.name}-title '
            f'{self.name}-desc"><title id="{self.name}-title">{html.escape(self.title)}</title>'
            f'<desc id="{self.name}-desc">{html.escape(self.description)}</desc>{"".join(frame)}{"".join(self._parts)}</svg>'
        )


def _hover(text: str) -> str:
    return f"<title>{html.escape(text)}</title>" if text else ""
