"""The page with plots of bench_vision.py: one HTML file with SVG in it, nothing fetched, no script."""
import html

import vision_targets

COLOURS = ["#d6272b", "#ff7f0e", "#8c1aff", "#e377c2", "#1f77b4", "#17a2b8", "#7f7f7f", "#2ca02c", "#98c379", "#8c564b",
           "#bcbd22", "#333333"]
WIDTH, HEIGHT, LEFT, BOTTOM = 380, 240, 40, 36
STYLE = """body{font:14px sans-serif;margin:24px;max-width:1280px}svg{margin:6px;background:#fff}
table{border-collapse:collapse;margin:8px 0 24px}
td,th{border-bottom:1px solid #ddd;padding:3px 10px;text-align:right}td:first-child,th:first-child{text-align:left}
figure{display:inline-block;margin:0}.no{color:#b00020;font-weight:bold}"""

BARS = [("photos", "rate", "photographs read"), ("photos", "ms_per_megapixel", "photographs, ms a megapixel"),
        ("empty", "ms", "empty frame, ms"), ("instructions", "million", "million instructions"),
        ("speed", "fps", "frames a second")]


def colour(bench, reader):
    """Gray: what is beside the readers, as the camera's JPEG."""
    return COLOURS[bench.readers.index(reader) % len(COLOURS)] if reader in bench.readers else "#bbbbbb"


def legend(bench):
    return "<p>" + " ".join(f'<span style="color:{colour(bench, reader)}">&#9632;</span> {html.escape(reader)}&emsp;'
                            for reader in bench.readers) + "</p>"


def curve(bench, section, rows):
    """Rate (0 to 1) over the knob's values, which stand at equal distances."""
    values = list(dict.fromkeys(row.case for row in rows))
    at = {value: LEFT + (i + 0.5) * (WIDTH - LEFT - 8) / len(values) for i, value in enumerate(values)}

    def level(rate):
        return HEIGHT - BOTTOM - rate * (HEIGHT - BOTTOM - 24)
    parts = [f'<svg width="{WIDTH}" height="{HEIGHT}" role="img">'
             f'<text x="{LEFT}" y="14" font-weight="bold">{html.escape(section[7:])}</text>']
    for rate in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{level(rate):.1f}" y2="{level(rate):.1f}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 6}" y="{level(rate) + 4:.1f}" text-anchor="end" font-size="11">{rate:g}</text>')
    parts += [f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" font-size="11">'
              f'{html.escape(value)}</text>' for value, x in at.items()]
    for reader in bench.readers:
        points = [(at[row.case], level(row.value)) for row in rows if row.reader == reader and row.quantity == "rate"]
        if points:
            thick = 2.5 if reader.startswith("lane") else 1.2
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour(bench, reader)}"/>' for x, y in points]
            parts.append(f'<polyline fill="none" stroke="{colour(bench, reader)}" stroke-width="{thick}" points="'
                         + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
    return "".join(parts) + "</svg>"


def bars(bench, title, values):
    """{reader: number}, drawn to the largest, each with its number."""
    top = max(values.values()) or 1
    height = 24 + 20 * len(values)
    parts = [f'<svg width="{WIDTH}" height="{height}" role="img">'
             f'<text x="4" y="14" font-weight="bold">{html.escape(title)}</text>']
    for i, (reader, value) in enumerate(values.items()):
        y, width = 24 + 20 * i, 150 * value / top
        parts.append(f'<text x="150" y="{y + 13}" text-anchor="end" font-size="12">{html.escape(reader)}</text>'
                     f'<rect x="156" y="{y + 2}" width="{width:.1f}" height="14" fill="{colour(bench, reader)}"/>'
                     f'<text x="{162 + width:.1f}" y="{y + 13}" font-size="12">{value:.4g}</text>')
    return "".join(parts) + "</svg>"


def table(rows):
    """Cases and quantities across, readers down."""
    columns = list(dict.fromkeys((row.case, row.quantity) for row in rows))
    readers = list(dict.fromkeys(row.reader for row in rows))
    cells = {(row.reader, row.case, row.quantity): row.value for row in rows}

    def show(value):
        return "" if value is None else f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))
    head = "".join(f"<th>{html.escape(' '.join(filter(None, column)))}</th>" for column in columns)
    body = "".join(f"<tr><td>{html.escape(reader)}</td>"
                   + "".join(f"<td>{show(cells.get((reader, *column)))}</td>" for column in columns) + "</tr>"
                   for reader in readers)
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def targets(bench):
    if bench.quick:
        return "<p>A quick run: few pictures, which tell nothing of rates.</p>"
    rows = "".join(f"<tr><td>{html.escape(one.what)}</td><td>{html.escape(one.bound)}</td><td>{one.value:.3g}</td>"
                   f"<td{'' if one.met else ' class=no'}>{'met' if one.met else 'not met'}</td></tr>"
                   for one in vision_targets.outcomes(bench.rows))
    head = "<tr><th></th><th>asked</th><th>here</th><th></th></tr>"
    return f"<h2>Asked of the lane's vision, and measured</h2><table>{head}{rows}</table>"


def walls(bench):
    """One figure of each reader's worst, then all of it: pictures down, readers across."""
    ratios = {(row.case, row.reader): row.value for row in bench.rows if (row.section, row.quantity) == ("wall", "ratio")}
    if not ratios:
        return []
    cases = list(dict.fromkeys(case for case, _ in ratios))
    worst = {reader: max(value for (_, name), value in ratios.items() if name == reader)
             for reader in bench.readers if any(name == reader for _, name in ratios)}
    head = "".join(f"<th>{html.escape(reader)}</th>" for reader in worst)
    body = "".join(f"<tr><td>{html.escape(case)}</td>" + "".join(f"<td>{ratios[case, reader]:.2f}</td>" for reader in worst)
                   + "</tr>" for case in cases)
    return ["<h2>Hostile pictures: processor time of the costliest frame / ZBar QR only's</h2>",
            "<figure>" + bars(bench, f"the worst of {len(cases)}", worst) + "</figure>",
            f"<table><tr><th></th>{head}</tr>{body}</table>"]


def page(bench, notes):
    """notes: {section: how its figures were made}"""
    sections = list(dict.fromkeys(row.section for row in bench.rows))
    parts = ["<!DOCTYPE html><html lang='en'><meta charset='utf-8'><title>qrgate: vision</title>",
             f"<style>{STYLE}</style>", "<h1>Reading codes: the lane's vision beside other readers</h1>", targets(bench),
             "<h2>Beside other readers, in the same run</h2>", legend(bench)]
    for section, quantity, title in BARS:
        many = [row for row in bench.rows if (row.section, row.quantity) == (section, quantity)]
        for case in dict.fromkeys(row.case for row in many if section != "photos" or row.case == "all"):
            values = {row.reader: row.value for row in many if row.case == case}
            parts.append("<figure>" + bars(bench, f"{title}: {case}", values) + "</figure>")
    parts += ["<h2>Rendered limits: share read</h2>", legend(bench)]
    parts += ["<figure>" + curve(bench, section, [row for row in bench.rows if row.section == section]) + "</figure>"
              for section in sections if section.startswith("curve")]
    parts += walls(bench)
    parts.append("<h2>All figures</h2>")
    parts += [f"<h3>{html.escape(section)}</h3><p>{html.escape(notes.get(section, ''))}</p>" + table([row for row in bench.rows if row.section == section])
              for section in sections if section not in ("photos", "wall")]
    for section in ("photos", "wall"):  # these have many cases: one table a case
        for case in dict.fromkeys(row.case for row in bench.rows if row.section == section):
            rows = [row._replace(case="") for row in bench.rows if (row.section, row.case) == (section, case)]
            parts.append(f"<h3>{section}: {html.escape(case)}</h3>" + table(rows))
    return "\n".join(parts) + "</html>\n"
