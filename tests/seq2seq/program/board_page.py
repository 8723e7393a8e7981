#!/usr/bin/env python3
"""Checks the page of `weft board` in a headless Chromium: board_page.py WEFT

Two made-up runs and one to come are followed, on a desk's width and on a phone's, light and dark. Exit
status 77: there is no Chromium.
"""
import json
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lab/page"))
import browser  # noqa: E402
import check as lab  # noqa: E402
from board import Board  # noqa: E402
from check import check, equal  # noqa: E402

HOSTILE = "<img src=x onerror=\"window.hacked=1\"> </script><script>window.hacked=1</script>"
STEPS = range(50, 1050, 50)
VALIDATIONS = range(200, 1200, 200)
SOURCE, PREDICTED = ["▁the", "▁old", "▁dog", "</s>"], ["▁der", "▁alte", "▁Hund", "</s>"]
LAYERS = ["embedding"] + [f"transformer.{side}.layers.{i}" for side in ("encoder", "decoder") for i in (0, 1)]


def line(value):
    return json.dumps(value, ensure_ascii=False) + "\n"


def training(step, speed):
    return line({"step": step, "epoch": step // 100, "loss": 8 * speed / (speed + step / 100) + 0.5,
                 "tokens_per_second": 20000 + step, "learning_rate": 1e-3 * min(step / 300, 1),
                 "gradient_norm": 2 / (1 + step / 500), "seconds": step * 0.5 * speed})


def validation(step, speed):
    return line({"step": step, "seconds": step * 0.5 * speed, "valid_loss": 8 * speed / (speed + step / 100) + 0.7,
                 "bleu": 40 * (1 - speed / (speed + step / 200))})


def frame(step):
    """Attention that is even at first, and sharp along the diagonal later."""
    sharp = step / 1200
    maps = [round(sharp * (r == c) + (1 - sharp) / 4, 2) for _ in range(2) for r in range(4) for c in range(4)]
    return {"update": step, "gradients": 8, "norm": [(1 + i) / (1 + step / 300) for i in range(5)], "snr": [1] * 5,
            "head_norm": [1, 2], "head_snr": [1, 2], "maps": maps}


def write(folder, name, text, mode="w"):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), mode, encoding="utf-8") as file:
        file.write(text)


def write_run(folder, speed, layers=2):
    write(folder, "metrics.jsonl", "".join(
        training(step, speed) + (validation(step, speed) if step in VALIDATIONS else "") for step in STEPS))
    write(folder, "run.toml", f'task = "files"\nlayers = {layers}\nlr = 0.001\n')
    write(folder, "film.jsonl", line({"format": "weft-film 1", "layers": LAYERS, "attention": ["decoder.0"], "heads": [2],
                                      "source": SOURCE, "predicted": PREDICTED, "map_layers": 2, "gap": 0})
          + "".join(line(frame(step)) for step in VALIDATIONS))
    write(folder, "samples.jsonl", line({"step": 0, "source": ["the old dog sleeps", "the dog"],
                                         "reference": ["der alte Hund schläft", "der Hund"]})
          + "".join(line({"step": step, "translation": texts}) for step, texts in zip(VALIDATIONS, (
              ["der der der", ""], ["der Hund schläft", "der"], ["der Hund schläft", "der Hund"],
              ["der alte Hund schläft", "der Hund"], ["der alte Hund schläft", "der Hund"]))))


def write_runs(folder):
    write_run(f"{folder}/wide", 2)
    write_run(f"{folder}/deep", 3, layers=4)
    write(f"{folder}/wide", "summary.json", '{\n  "task": "files",\n  "steps": 1000,\n  "seconds": 754.2,\n  "bleu": 33.25\n}\n')


class BoardPage(lab.Page):
    def __init__(self, chrome, board):
        super().__init__(chrome, board.url)

    def show(self, size, dark=False):
        self.open(self.origin, size, dark)
        self.until("document.querySelectorAll('.chart').length === 5")

    def until(self, expression, seconds=15):
        end = time.monotonic() + seconds
        while not self.js(expression):
            check(time.monotonic() < end, f"never: {expression}")
            time.sleep(0.05)
        self.chrome.settle()

    def count(self, selector):
        return self.js(f"document.querySelectorAll({json.dumps(selector)}).length")

    def texts(self, selector):
        return self.js(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)")

    def opacities(self, card=1, layer=1):
        """Of the cells of an attention map."""
        path = f"#attention .card:nth-child({card}) .map:nth-child({layer}) .cells rect"
        return self.js(f"[...document.querySelectorAll('{path}')].map((e) => Number(e.getAttribute('fill-opacity')))")


def test_curves(page):
    titles = [text.split(" (")[0] for text in page.js("[...document.querySelectorAll('.chart h3')].map((e) => e.firstChild.textContent)")]
    equal(titles, ["Loss", "BLEU", "Gradient norm", "Learning rate", "Target tokens per second"], "charts")
    for run in (0, 1):
        paths = page.js(f"[...document.querySelectorAll('.chart .run-{run}.line path')].map((e) => e.getAttribute('d').split(/[ML]/).length - 1)")
        equal(paths, [20, 5, 5, 20, 20, 20], f"points of run {run}, training and validation")
    equal(page.count(".chart .run-2.line path[d^=M]"), 0, "lines of a run to come")
    latest = page.texts(".chart:nth-child(2) .value")
    equal(latest[0], " wide 28.6", "the latest BLEU")
    equal(page.text(".chart .value"), " wide training 1.83, validation 2.03", "the latest losses")
    check("NaN" not in page.js("document.getElementById('main').innerHTML"), "something is no number")


def test_cursor(page):
    page.focus(".chart svg")
    for key, text in [("Home", "update 0"), ("End", "update 1,000"), ("ArrowLeft", "update 975"), ("ArrowLeft", "update 950")]:
        page.chrome.press(key)
        equal(page.text(".chart .at"), text, f"after {key}")
    equal(page.texts(".chart:nth-child(5) .value")[:2], [" wide 20,950", " deep 20,950"], "numbers of another chart")
    page.js("document.activeElement.blur()")
    page.hover(".chart:nth-child(2) svg", 0.5, 0.5)
    page.chrome.settle()
    check(page.text(".chart .at").startswith("update 4"), f"under the mouse: {page.text('.chart .at')}")
    page.chrome.move(1, 1)
    page.js("cursor.move(null)")
    equal(page.text(".chart .at"), "latest", "without a mouse")


def test_choices(page):
    page.js("{const s = document.getElementById('choose-x'); s.value = 'time'; s.dispatchEvent(new Event('change'));}")
    equal(page.text(".chart .axis"), "minutes of training", "the other axis")
    page.js("document.getElementById('choose-log').click()")
    page.js("{const s = document.getElementById('choose-smoothing'); s.value = 0.5; s.dispatchEvent(new Event('input'));}")
    equal(page.count(".chart:first-child .faint path"), 3, "lines as they were, behind smooth ones")
    check("NaN" not in page.js("document.getElementById('main').innerHTML"), "something is no number")
    page.fits("with other choices")
    page.js("document.querySelectorAll('#runs input')[0].click()")
    equal([page.count(".chart:nth-child(2) .run-0.line"), page.count(".chart:nth-child(2) .run-1.line")], [0, 1], "a run left out")
    equal(page.texts("#attention .card h3 bdi"), ["deep"], "its attention, too")
    page.js("document.querySelectorAll('#runs input')[0].click()")
    page.js("{const s = document.getElementById('choose-x'); s.value = 'updates'; s.dispatchEvent(new Event('change'));}")


def test_moment(page):
    slider = lambda: page.js("Number(document.getElementById('moment-slider').value)")
    equal(slider(), 4, "it begins at the latest")
    page.focus("#moment-slider")
    for key, at in [("Home", 0), ("ArrowRight", 1), ("End", 4), ("ArrowLeft", 3), ("Home", 0)]:
        page.chrome.press(key)
        step = VALIDATIONS[at]
        equal(slider(), at, f"after {key}")
        check(page.text("#moment-words").startswith(f"Update {step:,}, {at + 1} of 5"), page.text("#moment-words"))
        for card in (1, 2):
            equal(page.opacities(card, 2), frame(step)["maps"][16:], f"attention after {key}, run {card}")
        page.fits(key)
    equal(page.count(".moment"), 5, "the moment, in every chart")
    equal(page.text(".chart:nth-child(2) .numbers"), "update 200 wide 13.3 deep 10 later –", "numbers of the moment")
    equal(page.texts("#attention .map:first-child text"), ["der", "alte", "Hund", "</s>", "the", "old", "dog", "</s>"] * 2, "tokens")
    equal(page.texts("#samples dd")[2:4], ["der der der"] * 2, "the first translations")
    equal(page.texts("#samples .sentence:first-child .off")[:2], ["der", "der"], "what the reference does not have")
    page.focus("#moment-play")
    page.chrome.press("Enter")
    equal(page.text("#moment-play"), "Pause", "while it plays")
    page.until("document.getElementById('moment-play').textContent === 'Play'")
    equal([slider(), page.count(".moment")], [4, 0], "it plays to the latest")
    equal(page.texts("#samples dd")[2], "der alte Hund schläft ✓", "the last translation")
    stages = page.texts("#samples .sentence:first-child .stages:nth-child(2) li")
    equal(len(stages), 3, f"stages of a translation: {stages}")
    check(stages[1].endswith("wide from update 400: der Hund schläft"), stages[1])


def test_tables(page):
    equal(page.texts("#differences tbody tr"), ["layers24"], "settings that differ")
    equal(page.texts("#all-settings tbody th"), ["task", "layers", "lr"], "settings")
    equal(page.texts("#summary tbody tr"), ["Taskfiles", "Steps1,000", "Seconds12 min 34 s", "BLEU33.25"], "results")
    equal(page.count("#gradients .card:first-child .cells rect"), 5 * 5, "gradients by layer")
    check("finished, update 1,000" in page.text("#runs li"), page.text("#runs li"))
    check("waiting for " in page.texts("#runs li")[2], "the run to come is waited for")


def test_grows(page, folder):
    """What is written is shown; of a log that begins anew nothing else is."""
    write(f"{folder}/wide", "metrics.jsonl", training(1050, 2) + '{"step":1100,"lo', "a")
    page.until("document.querySelector('.chart .run-0.line path').getAttribute('d').split(/[ML]/).length - 1 === 21")
    write(f"{folder}/wide", "metrics.jsonl", training(50, 2) + training(100, 2) + "{broken\n")
    page.until("document.querySelector('.chart .run-0.line path').getAttribute('d').split(/[ML]/).length - 1 === 2")
    check("1 damaged line is left out" in page.text("#runs li"), page.text("#runs li"))


def test_hostile(page, folder):
    run = f"{folder}/later"
    write_run(run, 2)
    write(run, "metrics.jsonl", line({"step": 1100, HOSTILE[:60]: 1, "valid_loss": 1e308}), "a")
    write(run, "metrics.jsonl", line({"step": 1200, "loss": -1e308, "valid_loss": 1e-308, "bleu": -1}), "a")
    write(run, "samples.jsonl", line({"step": 0, "source": [HOSTILE], "reference": [HOSTILE]})
          + line({"step": 5, "translation": [HOSTILE]}) + line({"step": 9, "translation": []}))
    write(run, "summary.json", line({HOSTILE: HOSTILE}))
    write(run, "run.toml", f"'{HOSTILE}' = '{HOSTILE}'\n")
    text = open(f"{run}/film.jsonl", encoding="utf-8").read().replace("▁old", "<b>x</b>").replace("embedding", "<b>y</b>")
    write(run, "film.jsonl", text)
    page.until("document.querySelectorAll('#attention .card').length === 3")
    page.until("document.querySelector('#samples').textContent.includes('onerror')")
    equal(page.text("#samples .sentence:last-child dd bdi"), HOSTILE, "a hostile sample, as text")
    equal([page.count("img, b, iframe, object"), page.js("typeof hacked")], [0, "undefined"], "elements from texts")
    for choice in ("choose-log", "choose-log"):
        page.js(f"document.getElementById('{choice}').click()")
        page.fits("with a hostile run")


def test_contrast(page):
    """Lines and texts of runs have 4.5 to 1 (WCAG 2, AA)."""
    colour = lambda name: page.js(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
    for run in range(8):
        got = lab.contrast(colour(f"run-{run}"), colour("paper"))
        check(got >= 4.5, f"run {run}: {got:.2f} to 1")


def main():
    if not browser.find():
        print("board page: skipped, as Chromium (Debian: chromium) is not installed")
        sys.exit(77)
    program = os.path.abspath(sys.argv[1])
    with browser.Browser() as chrome:
        for size, dark in ((lab.DESK, False), (lab.PHONE, True)):
            with tempfile.TemporaryDirectory() as folder:
                write_runs(folder)
                with Board(program, f"{folder}/wide", f"{folder}/deep", f"{folder}/later", "--port", "0") as board:
                    page = BoardPage(chrome, board)
                    page.show(size, dark)
                    test_curves(page)
                    test_cursor(page)
                    test_choices(page)
                    test_moment(page)
                    test_tables(page)
                    test_contrast(page)
                    test_grows(page, folder)
                    test_hostile(page, folder)
                    page.quiet("while it is served")
                page.until("document.getElementById('link').textContent.includes('does not answer')")
                chrome.events.clear()
    print("board page: passed")


if __name__ == "__main__":
    main()
