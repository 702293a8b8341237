"""What is asked of the lane's vision, beside what a run of bench_vision.py measured. Called by it and by vision_page.py."""
import collections

FIRST, TWO, EIGHT, LIVING = "lane, first look", "lane, two looks", "lane, eight looks", "lane, living view"
Target = collections.namedtuple("Target", "what section case reader quantity least most")
Target.__new__.__defaults__ = (None, None)
Outcome = collections.namedtuple("Outcome", "what bound value met")
EMPTY_MOST = 11  # million instructions; a frame equal to the last one has a two hundredth of that
WALLS_MOST = 1 / 3


def curve(knob, value, reader, least):
    return Target(f"{knob} {value}, {reader[6:]}", f"curve: {knob}", value, reader, "rate", least)


TARGETS = [
    Target("photographs, first look", "photos", "all", FIRST, "rate", 0.825),
    Target("photographs, two looks", "photos", "all", TWO, "rate", 0.86),
    Target("photographs, eight looks", "photos", "all", EIGHT, "rate", 0.89),
    Target("photographs, wrong texts that ZBar alone doesn't give", "photos", "all", EIGHT, "wrong_of_its_own", most=0),
    Target("pictures without a code, read", "photos", "falsepositives-2", EIGHT, "read", most=0),
    *(Target(f"million instructions, empty frame: {ground}", "instructions", ground, LIVING, "million", most=EMPTY_MOST)
      for ground in ("flat", "scene", "texture")),
    Target("million instructions, a frame equal to the last", "instructions", "still", LIVING, "million", most=EMPTY_MOST / 200),
    curve("module, px", "2", FIRST, 0.98), curve("module, px", "1.75", FIRST, 0.85), curve("module, px", "1.5", FIRST, 0.5),
    *(curve("rotation, degrees", value, FIRST, 1) for value in ("22.5", "45", "135", "225", "300")),
    curve("tilt, degrees", "50", FIRST, 5 / 6),
    curve("blur, sigma px", "1.75", FIRST, 0.9), curve("contrast, gray levels", "24", FIRST, 0.9),
    curve("noise, sigma gray levels", "20", FIRST, 0.9), curve("glare, radius / side", "0.6", EIGHT, 0.9),
    curve("inverted", "1", FIRST, 0.98), curve("moire, depth", "0.4", EIGHT, 0.9),
]


def outcomes(rows):
    """Only of what this run has measured."""
    values = {(row.section, row.case, row.reader, row.quantity): row.value for row in rows}
    found = []
    for target in TARGETS:
        value = values.get((target.section, target.case, target.reader, target.quantity))
        if value is not None:
            met = value >= target.least if target.least is not None else value <= target.most
            bound = f">= {target.least:.3g}" if target.least is not None else f"<= {target.most:.3g}"
            found.append(Outcome(target.what, bound, value, met))
    walls = {row.case: row.value for row in rows if (row.section, row.reader, row.quantity) == ("wall", LIVING, "ratio")}
    if walls:
        worst = max(walls, key=walls.get)
        found.append(Outcome(f"hostile pictures, worst of {len(walls)} / ZBar QR only: {worst}", f"<= {WALLS_MOST:.3g}",
                             walls[worst], walls[worst] <= WALLS_MOST))
    return found
