"""Plots as SVG text: lines over logarithmic or even axes, and timelines of ranks."""

import math
from xml.sax.saxutils import escape

INK, FADED, GRID = "#1d2333", "#6a7186", "#e3e6ee"
# Of Okabe and Ito, told apart by colour-blind people.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
FONT = "Segoe UI, Helvetica Neue, Arial, DejaVu Sans, sans-serif"


def text(x, y, size, content, fill=INK, anchor="start"):
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{fill}' "
        f"text-anchor='{anchor}'>{escape(str(content))}</text>\n"
    )


def page(width, height, title, body):
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' font-family='{FONT}'>\n<title>{escape(title)}</title>\n"
        f"<rect width='100%' height='100%' fill='#fff'/>\n{text(64, 28, 16, title)}{body}</svg>\n"
    )


def lines(title, x_label, y_label, series, x_ticks, y_ticks, log_x=True, log_y=False, points=()):
    """Lines over an x axis that is logarithmic unless told otherwise. series: name -> [(x, y)]; the first and last ticks are the
    ends of the axes. points: names of series that are drawn as points."""
    left, right, top, bottom, width, height = 64, 500, 52, 340, 740, 400
    scale_x, scale_y = (math.log10 if is_log else float for is_log in (log_x, log_y))

    def at_x(x):
        first, last = scale_x(x_ticks[0]), scale_x(x_ticks[-1])
        return left + (right - left) * (scale_x(x) - first) / (last - first)

    def at_y(y):
        first, last = scale_y(y_ticks[0]), scale_y(y_ticks[-1])
        return bottom - (bottom - top) * (scale_y(y) - first) / (last - first)

    body = text(left, top - 8, 11, y_label, FADED)
    body += text((left + right) / 2, bottom + 40, 11, x_label, FADED, "middle")
    for y in y_ticks:
        body += f"<path d='M{left} {at_y(y):.1f}H{right}' stroke='{GRID}'/>\n"
        body += text(left - 8, at_y(y) + 4, 11, f"{y:g}", FADED, "end")
    for x in x_ticks:
        body += text(at_x(x), bottom + 18, 11, f"{x:g}", FADED, "middle")
    for i, (name, values) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        dash = " stroke-dasharray='6 3'" if i >= len(COLOURS) else ""
        places = [(at_x(x), at_y(min(max(y, y_ticks[0]), y_ticks[-1]))) for x, y in values]
        at = top + 20 * i
        if name in points:
            body += "".join(
                f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>\n" for x, y in places
            )
            body += f"<circle cx='{right + 30}' cy='{at}' r='3.5' fill='{colour}'/>\n"
        else:
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            for d in (f"M{path}", f"M{right + 20} {at}h20"):
                body += f"<path d='{d}' fill='none' stroke='{colour}' stroke-width='1.8'{dash}/>\n"
        body += text(right + 48, at + 4, 11, name)
    return page(width, height, title, body)


# Two rows for each rank: what its main thread does, and what its exchange carries meanwhile.
ROWS = {
    "forward": (0, "#b8cfe4"),
    "backward": (0, "#0072b2"),
    "optimizer": (0, "#009e73"),
    "outer step": (0, "#009e73"),
    "all_to_all": (1, "#d55e00"),
    "all_gather": (1, "#e69f00"),
}


def timeline(title, events):
    """Events of a step: dictionaries with rank, what, begin_ms and end_ms."""
    left, top, row, width = 64, 64, 16, 900
    ranks = 1 + max(e["rank"] for e in events)
    last = max(e["end_ms"] for e in events)
    height = top + ranks * (2 * row + 14) + 44

    def at(ms):
        return left + (width - left - 24) * ms / last

    body, x = "", left
    for what in [w for w in ROWS if any(e["what"] == w for e in events)]:
        body += f"<rect x='{x}' y='40' width='12' height='10' fill='{ROWS[what][1]}'/>\n"
        body += text(x + 16, 49, 11, what)
        x += 32 + 7 * len(what)
    for rank in range(ranks):
        y = top + rank * (2 * row + 14)
        body += text(left - 8, y + row + 4, 11, f"rank {rank}", FADED, "end")
    for e in events:
        if e["what"] not in ROWS:
            continue
        line, colour = ROWS[e["what"]]
        y = top + e["rank"] * (2 * row + 14) + line * row
        size = max(at(e["end_ms"]) - at(e["begin_ms"]), 0.6)
        note = f"rank {e['rank']}, {e['what']}: {e['begin_ms']:.1f} to {e['end_ms']:.1f} ms"
        if e["sent_bytes"]:
            note += f", {e['sent_bytes'] / 1e6:.2f} MB sent"
        body += (
            f"<rect x='{at(e['begin_ms']):.1f}' y='{y}' width='{size:.1f}' height='{row - 2}' "
            f"fill='{colour}'><title>{escape(note)}</title></rect>\n"
        )
    tick = 10 ** math.floor(math.log10(last))
    tick = tick / 5 if last / tick < 2 else tick / 2 if last / tick < 5 else tick
    for i in range(int(last / tick) + 1):
        body += text(at(i * tick), height - 24, 11, f"{i * tick:g}", FADED, "middle")
        body += (
            f"<path d='M{at(i * tick):.1f} {top - 4}V{height - 38}' stroke='{GRID}' "
            "stroke-opacity='0.7'/>\n"
        )
    body += text((left + width) / 2, height - 8, 11, "milliseconds", FADED, "middle")
    return page(width, height, title, body)
