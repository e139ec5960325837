"""Write what a program prints as an SVG picture of a terminal: ``gatepost demo --once | tools/terminal_svg.py FILE``.

Knows the few colours that our own commands use. Text stays text: it can be searched and read aloud.
"""

import re
import sys
from html import escape
from pathlib import Path

COLUMN, LINE, MARGIN, BAR = 8.4, 19, 18, 34
STYLES = {"1": "font-weight:600", "2": "fill:#8b96a5", "31": "fill:#ff8080", "32": "fill:#6fd79b"}


def render(text: str, title: str) -> str:
    """Return the picture."""
    lines = text.rstrip("\n").split("\n")
    columns = max(len(re.sub(r"\x1b\[\d+m", "", line)) for line in lines)
    width, height = 2 * MARGIN + columns * COLUMN, BAR + MARGIN + len(lines) * LINE
    rows = [_render_line(line, BAR + 14 + number * LINE) for number, line in enumerate(lines)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#161b22"/>',
            *[f'<circle cx="{20 + 18 * n}" cy="17" r="5.5" fill="#3a434e"/>' for n in range(3)],
            '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" fill="#e6edf3">',
            *[row for row in rows if row],
            "</g>",
            "</svg>",
            "",
        ]
    )


def _render_line(line: str, y: int) -> str:
    """Place every run of characters by itself: fonts differ in width, columns must not."""
    spans, column, style = [], 0, ""
    for piece in re.split(r"(\x1b\[\d+m)", line):
        if piece.startswith("\x1b"):
            style = STYLES.get(piece[2:-1], "")
            continue
        for run in re.finditer(r"\S+(?: \S+)*", piece):
            x, length = MARGIN + (column + run.start()) * COLUMN, len(run[0]) * COLUMN
            attribute = f' style="{style}"' if style else ""
            spans.append(f'<tspan x="{x:.1f}" textLength="{length:.1f}"{attribute}>{escape(run[0])}</tspan>')
        column += len(piece)
    return f'<text y="{y}">{"".join(spans)}</text>' if spans else ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(sys.stdin.read(), "gatepost demo --once"), encoding="utf-8")
