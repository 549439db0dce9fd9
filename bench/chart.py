"""Bars in SVG, drawn by few lines: a panel for each question, two in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, TITLE = 560, 185, 18, 6, 34
OURS, HAND, PEER = "#1368ce", "#8a8f98", "#c9ced6"


@dataclass(frozen=True)
class Panel:
    """One question: more is better."""

    title: str
    bars: dict[str, float]

    @property
    def height(self) -> int:
        return TITLE + len(self.bars) * (BAR + GAP) + 16


def drawn(panels: Sequence[Panel]) -> str:
    """The picture."""
    rows = [panels[start : start + 2] for start in range(0, len(panels), 2)]
    parts, top = [], 10
    for row in rows:
        for number, panel in enumerate(row):
            parts.append(f'<g transform="translate({10 + number * (WIDTH + 20)},{top})">{_panel(panel)}</g>')
        top += max(panel.height for panel in row)
    size = f'width="{2 * WIDTH + 40}" height="{top}" viewBox="0 0 {2 * WIDTH + 40} {top}"'
    style = 'font-family="system-ui, sans-serif" font-size="12" fill="#1f2328"'
    background = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{background}\n' + "\n".join(parts) + "\n</svg>\n"


def _panel(panel: Panel) -> str:
    most = max(panel.bars.values(), default=1)
    parts = [f'<text x="0" y="18" font-weight="600">{escape(panel.title)}</text>']
    for number, (name, value) in enumerate(sorted(panel.bars.items(), key=lambda bar: -bar[1])):
        top = TITLE + number * (BAR + GAP)
        long = max(1, round((WIDTH - LABEL - 60) * value / most))
        color = OURS if name.startswith("Tidegate") else HAND if name == "by hand" else PEER
        weight = ' font-weight="600"' if name.startswith("Tidegate") else ""
        parts.append(
            f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end"{weight}>{escape(name)}</text>'
            f'<rect x="{LABEL}" y="{top}" width="{long}" height="{BAR}" rx="2" fill="{color}"/>'
            f'<text x="{LABEL + long + 6}" y="{top + 13}">{value:,.0f}</text>'
        )
    return "".join(parts)
