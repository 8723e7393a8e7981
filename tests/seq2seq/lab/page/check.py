#!/usr/bin/env python3
"""Checks the page of `weft lab` in a headless Chromium, on made-up reports: check.py CMAKE

Every control is used, by mouse and by keyboard, on a phone's width and on a desk's, light and dark.
No script may fail, nothing may be asked of a network, nothing may be wider than the window, and every
picture that is saved is small and well formed. Exit status 77: there is no Chromium.
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import browser
import sample

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../../..")
SCRIPT, PAGE = os.path.join(ROOT, "cmake/WeftPage.cmake"), os.path.join(ROOT, "seq2seq/lab/page/page.html")
MOST_BYTES = 200_000  # of a saved picture
PHONE, DESK = (360, 780), (1200, 900)
FIGURES = ["links", "grid", "map", "tokens", "heads", "pruning", "agreement", "faithfulness", "training",
           "film", "film-lines"]

# Keeps what would be saved: saved() gives [name of the file, text] of each.
KEEP_SAVED = """{
  const kept = [];
  URL.createObjectURL = (blob) => { kept.push({text: blob.text()}); return "#"; };
  HTMLAnchorElement.prototype.click = function () { kept.at(-1).name = this.download; };
  window.saved = async () => Promise.all(kept.splice(0).map(async ({name, text}) => [name, await text]));
}"""


def check(ok, what):
    if not ok:
        raise AssertionError(what)


def equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def shown(value):
    """A number as the page writes it: three digits, a true minus."""
    if value is None:
        return "–"
    if value == int(value):
        text = str(int(value))
    elif abs(value) < 0.001:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    else:
        text = repr(float(f"{value:.3g}")).removesuffix(".0")
    return text.replace("-", "−")


def write_page(page, report, path):
    text = json.dumps(report, ensure_ascii=False).replace("<", "\\u003c")
    with open(path, "w", encoding="utf-8") as file:
        file.write(page.replace("/*REPORT*/", text))


class Page:
    def __init__(self, chrome, origin="file://"):
        self.chrome, self.origin = chrome, origin
        self.js = chrome.evaluate

    def open(self, path, size, dark=False):
        self.chrome.show(*size, dark)
        self.chrome.open(path)
        self.js(KEEP_SAVED)
        self.fits("when opened")

    def fits(self, when):
        wide = self.js("[document.documentElement.scrollWidth, window.innerWidth]")
        check(wide[0] <= wide[1], f"{when}: {wide[0]} px wide in a window of {wide[1]}")

    def quiet(self, when):
        """Nothing failed, nothing was asked for."""
        for method, params in self.chrome.events:
            if method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                check(url.startswith((self.origin, "data:")), f"{when}: asked for {url}")
            check(method != "Runtime.exceptionThrown", f"{when}: {json.dumps(params)[:800]}")
            if method == "Runtime.consoleAPICalled":
                check(params["type"] not in ("error", "warning", "assert"), f"{when}: {json.dumps(params)[:800]}")
            if method == "Log.entryAdded":
                check(params["entry"]["level"] not in ("error", "warning"), f"{when}: {json.dumps(params)[:800]}")
        self.chrome.events.clear()

    def choose(self, name, index):
        self.js(f"""{{const s = document.getElementById("choose-{name}"); s.selectedIndex = {index};
                    s.dispatchEvent(new Event("change"));}}""")
        self.chrome.settle()

    def options(self, name):
        return self.js(f'[...document.getElementById("choose-{name}").options].map((o) => o.text)')

    def chosen(self, name):
        return self.js(f'document.getElementById("choose-{name}").selectedIndex')

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)})?.textContent")

    def focus(self, selector):
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")

    def focused(self):
        return self.js("document.activeElement.dataset.key")

    def hover(self, selector, across=0.5, down=0.5):
        x, y = self.js(f"""(() => {{const e = document.querySelector({json.dumps(selector)});
            e.scrollIntoView({{block: "center"}}); const b = e.getBoundingClientRect();
            return [b.x + b.width * {across}, b.y + b.height * {down}];}})()""")
        self.chrome.move(x, y)

    def save_all(self, when):
        """Saves every picture: [name] of the files."""
        self.js('document.querySelectorAll("figure:not([hidden]) .save").forEach((button) => button.dispatchEvent(new MouseEvent("click")))')
        files = self.js("saved()")
        for name, text in files:
            check_svg(name, text, when)
        return [name.removeprefix("weft-").removesuffix(".svg") for name, _ in files]


def check_svg(name, text, when):
    size = len(text.encode())
    check(size < MOST_BYTES, f"{when}: {name} has {size} bytes")
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    equal(root.tag, space + "svg", f"{name}, root")
    equal(root[0].tag, space + "title", f"{name}, first child")
    check(root[0].text, f"{name} has no title")
    check(root.get("viewBox") and root.get("font-family"), f"{name}: no viewBox or font")
    tags = {element.tag.removeprefix(space) for element in root.iter()}
    check(tags <= {"svg", "title", "g", "rect", "path", "text", "tspan", "line", "circle", "clipPath"}, f"{name}: {tags}")
    check("text" in tags, f"{name} has no text")
    for mark in ("currentColor", "var(--", "NaN", "undefined", "Infinity", "[object"):
        check(mark not in text, f"{when}: {name} holds {mark}")


def test_choices(page):
    """Every choice of every control can be made."""
    for name in ("sentence", "measure", "place", "layer", "head", "offset"):
        for index in range(len(page.options(name))):
            page.choose(name, index)
            page.fits(f"{name} {index}")
            page.quiet(f"{name} {index}")
        page.choose(name, 0)


def test_numbers(page, report):
    """The numbers shown are those of the report."""
    sentence = report["sentences"][1]
    weights = next(m for m in sentence["maps"] if m["measure"] == "weights" and m["place"] == "cross")
    page.choose("sentence", 1)
    rows, columns = len(sentence["target"]), len(sentence["source"])
    for layer, head, row, column in [(2, 3, 2, 1), (4, 1, 6, 6), (1, 2, 0, 0)]:
        page.choose("layer", layer)
        page.choose("head", head)
        page.hover("#figure-map svg > g > rect:last-of-type", (column + 0.5) / columns, (row + 0.5) / rows)
        expected = shown(weights["layers"][layer - 1][head - 1][row][column])
        equal(page.text("#map-readout strong"), expected, f"layer {layer}, head {head}, [{row}, {column}]")
        equal(page.text("#map-readout bdi"), sentence["predicted"][row], "row's name")
        check(("gold" in page.text("#map-readout")) == (row == column and row < 6), "gold cell is named as such")
    # The mean of all layers and heads; rows named by what they read.
    page.choose("layer", 0)
    page.choose("head", 0)
    page.choose("offset", 1)
    page.hover("#figure-map svg > g > rect:last-of-type", 1.5 / columns, 3.5 / rows)
    mean = sum(m[3][1] for heads in weights["layers"] for m in heads) / 16
    equal(page.text("#map-readout strong"), shown(mean), "mean")
    equal(page.text("#map-readout bdi"), sentence["target"][3], "row's name by what it reads")
    for row, column, is_gold in [(3, 2, True), (3, 3, False), (2, 2, False)]:  # one row on
        page.hover("#figure-map svg > g > rect:last-of-type", (column + 0.5) / columns, (row + 0.5) / rows)
        equal("gold" in page.text("#map-readout"), is_gold, f"gold at [{row}, {column}] by what rows read")
    gold = lambda: page.js('document.querySelectorAll("#figure-map rect[stroke-dasharray], #figure-map g[fill=none] > rect").length')
    equal(gold(), 6 + 2, "gold links one row on, those in the picture")
    page.choose("offset", 0)
    equal(gold(), 6 + 2, "gold links")
    page.choose("place", 1)
    equal(gold(), 0, "gold links of the encoder")
    page.choose("place", 0)


def test_tokens(page, report):
    """A token by mouse and by keyboard shows its links and its numbers alone."""
    chrome, sentence = page.chrome, report["sentences"][1]
    page.choose("sentence", 1)
    links = lambda: page.js('document.querySelectorAll("#figure-links path:not([stroke-dasharray])").length')
    every = links()
    page.hover('#figure-links [data-key="row 2"]')
    equal(page.text("#token-readout h3"), sentence["predicted"][2], "token under the mouse")
    check(0 < links() <= len(sentence["source"]) < every, "links of one token")
    page.hover("h1")
    equal(links(), every, "links when the mouse is away")
    page.focus('#figure-links [tabindex="0"]')
    equal(page.focused(), "column 0", "first token")
    for key, expected in [("ArrowDown", "column 1"), ("ArrowRight", "row 1"), ("End", "row 6"), ("ArrowDown", "row 6"),
                          ("Home", "row 0"), ("ArrowUp", "row 0"), ("ArrowDown", "row 1"), ("ArrowLeft", "column 1")]:
        chrome.press(key)
        equal(page.focused(), expected, f"after {key}")
    equal(page.text("#token-readout h3"), sentence["source"][1], "token in focus")
    weights = next(m for m in sentence["maps"] if m["measure"] == "weights" and m["place"] == "cross")["layers"]
    largest = max(sum(m[row][1] for heads in weights for m in heads) / 16 for row in range(7))
    equal(page.text("#token-readout tbody td.number"), shown(largest), "its largest number")
    chrome.press("Enter")
    page.focus("#choose-measure")
    check(links() <= 7, "a pinned token stays")
    page.focus('#figure-links [aria-selected="true"]')
    chrome.press("Escape")
    page.focus("#choose-measure")
    equal(links(), every, "links after Escape")


def test_grid(page):
    chrome = page.chrome
    page.focus('#figure-grid [tabindex="0"]')
    equal(page.focused(), "mean of layers, mean of heads", "chosen map")
    for key in ("Home", "ArrowRight", "ArrowUp"):
        chrome.press(key)
    equal(page.focused(), "layer 4, head 2", "map in focus")
    chrome.press("Enter")
    chrome.settle()
    equal((page.chosen("layer"), page.chosen("head")), (4, 2), "layer and head chosen")
    equal(page.focused(), "layer 4, head 2", "focus after drawing again")
    check(page.text("#figure-map figcaption").endswith("layer 4, head 2"), "the large map follows")
    page.js('document.querySelector(\'#figure-grid [data-key="layer 1, head 1"]\').dispatchEvent(new MouseEvent("click"))')
    equal((page.chosen("layer"), page.chosen("head")), (1, 1), "chosen by mouse")


def test_map_keys(page, report):
    page.choose("sentence", 1)
    page.choose("layer", 1)
    page.choose("head", 1)
    page.focus("#figure-map svg")
    for key in ("Home", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown", "ArrowRight"):
        page.chrome.press(key)
    maps = report["sentences"][1]["maps"][0]
    equal((maps["measure"], maps["place"]), ("weights", "cross"), "first map")
    equal(page.text("#map-readout strong"), shown(maps["layers"][0][0][1][1]), "number under the cursor")


def test_tables(page):
    """Each heading sorts, both ways, with what is missing last."""
    page.js('document.getElementById("only-best").click()')
    for table in ("Agreement with gold links", "Faithfulness"):
        path = f'[aria-label="{table}"]'
        check(page.js(f"document.querySelector('{path}') !== null"), table)
        for column in range(page.js(f"document.querySelectorAll('{path} thead button').length")):
            for _ in range(2):
                page.js(f"document.querySelectorAll('{path} thead button')[{column}].click()")
                kind = page.js(f"document.querySelectorAll('{path} thead th')[{column}].getAttribute('aria-sort')")
                cells = page.js(f"[...document.querySelectorAll('{path} tbody tr')].map((tr) => tr.children[{column}].firstChild.textContent)")
                known = [c for c in cells if c not in ("–", "all", "mean")]
                equal(cells[:len(known)], known, f"{table}, column {column}: missing ones last")
                try:
                    known = [float(c.replace("−", "-")) for c in known]
                except ValueError:
                    continue
                equal(known, sorted(known, reverse=kind == "descending"), f"{table}, column {column}, {kind}")
    equal(page.js('document.querySelectorAll(".is-best").length'), 5, "best rows marked, one a measure")
    page.js('document.getElementById("only-best").click()')
    for figure, down in (("pruning", 0.25), ("training", 0.5)):  # a chart's number under the mouse
        page.hover(f"#figure-{figure} svg", 0.3, down)
        page.chrome.settle()
        tips = f"[...document.querySelectorAll('#figure-{figure} [aria-label=tip]')].some((tip) => tip.textContent)"
        check(page.js(tips), f"{figure}: no number under the mouse")
    page.js('document.getElementById("log-scale").click()')
    page.js('document.querySelectorAll("summary").forEach((s) => s.click())')
    page.chrome.settle()
    page.fits("with everything open")


def test_film(page, report):
    """The slider, by keyboard, and the button show each record; its numbers are those of the report."""
    chrome, frames = page.chrome, report["film"]["frames"]
    last = len(frames) - 1
    slider = lambda: page.js('Number(document.getElementById("film-slider").value)')
    words = lambda: page.text("#film-words")
    equal(slider(), last, "the film begins at its end")
    page.focus("#film-slider")
    for key, at in [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("Home", 0)]:
        chrome.press(key)
        equal(slider(), at, f"record after {key}")
        check(words().startswith(f"Update {frames[at]['update']:,}, record {at + 1} of {last + 1} · "), words())
        check(f"loss {shown(report['history']['rows'][frames[at]['update'] // 100 - 1][1])}" in words(), words())
        page.fits(f"record {at}")
    page.save_all("the first record")
    page.focus("#film-play")
    chrome.press("Enter")
    equal(page.text("#film-play"), "Pause", "the button while it plays")
    page.js("""new Promise((done) => {
      const wait = () => (document.getElementById("film-play").textContent === "Play" ? done() : setTimeout(wait, 20));
      wait(); })""")
    equal(slider(), last, "it plays to its end")
    chrome.press(" ")
    check(slider() < last and page.text("#film-play") == "Pause", "it plays from the start")
    chrome.press(" ")
    at = slider()
    page.js("new Promise((done) => setTimeout(done, 700))")
    equal((slider(), page.text("#film-play")), (at, "Play"), "it stops")


def test_chart_keys(page, report):
    """Numbers of charts by keyboard."""
    film, frame = report["film"], report["film"]["frames"][0]
    said = lambda: page.text("#said")
    place = report["heads"][0]["importance"]
    rows = report["history"]["rows"]
    cases = [
        ("heads", "encoder: importance", [("Home", f"layer 1, head 1: {shown(place[0][0])}"),
                                          ("ArrowRight", f"layer 1, head 2: {shown(place[0][1])}"),
                                          ("ArrowDown", f"layer 2, head 2: {shown(place[1][1])}"),
                                          ("End", f"layer 2, head 4: {shown(place[1][3])}")]),
        ("pruning", "exact match by the number of heads kept",
         [("Home", "0 heads, least important first: 0"), ("End", "48 heads, least important first: 97")]),
        ("training", "Loss by step", [("Home", f"Loss: {shown(rows[0][1])}, step 100"),
                                      ("ArrowDown", f"Valid loss: {shown(rows[4][3])}, step 500")]),
        ("tokens", "Log-probability of each target token",
         [("Home", f"der: {shown(report['sentences'][1]['log_probs'][0])}"),
          ("ArrowDown", f"Hund: {shown(report['sentences'][1]['log_probs'][1])}")]),
        ("film", "Gradient norm by layer", [("Home", f"embedding: {shown(frame['norm'][0])}"),
                                            ("ArrowRight", f"encoder 1: {shown(frame['norm'][1])}")]),
        ("film", "Signal to noise by head",
         [("ArrowRight", f"encoder 1 self_attn, head 2: {shown(frame['head_snr'][1])}"),
          ("ArrowDown", f"encoder 2 self_attn, head 2: {shown(frame['head_snr'][5])}")]),
        ("film-lines", "Signal to noise by layer over training",
         [("ArrowDown", f"encoder 1, update 500: {shown(film['frames'][0]['snr'][1])}"),
          ("ArrowRight", f"encoder 1, update 1000: {shown(film['frames'][1]['snr'][1])}")]),
    ]
    page.choose("sentence", 1)
    page.focus("#film-slider")
    page.chrome.press("Home")
    for figure, chart, keys in cases:
        page.focus(f'#figure-{figure} [data-key="{chart}"]')
        for key, expected in keys:
            page.chrome.press(key)
            equal(said(), expected, f"{chart}, after {key}")


def test_tab_reaches_all(page):
    """Tab goes to every control and into every picture that can be asked."""
    wanted = page.js("""(() => {
      const all = [...document.querySelectorAll("a[href], button, select:not(:disabled), input, summary, [tabindex='0']")]
        .filter((e) => e.checkVisibility());
      all.forEach((e, i) => e.setAttribute("data-stop", i)); document.activeElement.blur(); scrollTo(0, 0); return all.length; })()""")
    seen = set()
    for _ in range(wanted + 5):
        page.chrome.press("Tab")
        seen.add(page.js("document.activeElement.getAttribute('data-stop')"))
    missing = [page.js(f"document.querySelector(\"[data-stop='{i}']\").outerHTML.slice(0, 120)") for i in range(wanted) if str(i) not in seen]
    check(not missing, f"Tab does not reach {missing}")


def luminance(colour):
    channel = lambda c: c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
    r, g, b = (channel(int(colour[i:i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast(page):
    """Texts have 4.5 to 1 (WCAG 2, AA), on the page and in pictures."""
    variables = page.js("""Object.fromEntries(["paper", "ink", "muted", "wash", "accent", "focus"].map((name) =>
        [name, getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()]))""")
    theme = page.js("screenTheme()")
    equal([theme["paper"], theme["ink"], theme["muted"]], [variables[n] for n in ("paper", "ink", "muted")], "one set of colours")
    pairs = [(variables[a], variables[b]) for a in ("ink", "muted", "accent") for b in ("paper", "wash")]
    pairs += [(colour, theme["paper"]) for colour in theme["series"] + [variables["focus"]]]
    steps = page.js("range(41).map((i) => d3.color(colourScale([-1, 1], screenTheme(), true).colour(i / 20 - 1)).formatHex())")
    inks = page.js(f"{json.dumps(steps)}.map(inkOn)")
    for text, ground in pairs + list(zip(inks, steps)):
        check(contrast(text, ground) >= 4.5, f"{text} on {ground}: {contrast(text, ground):.2f} to 1")


def test_hostile(page):
    """No text of the report became an element."""
    equal(page.js('document.querySelectorAll("img, b, iframe, object").length'), 0, "elements from texts")
    equal(page.js('document.querySelectorAll("script").length'), page.js("scriptCount"), "scripts")


def test_full(chrome, page_text, folder):
    path, report, page = os.path.join(folder, "full.html"), sample.make("full"), Page(chrome)
    write_page(page_text, report, path)
    for size, dark in ((DESK, False), (PHONE, True)):
        page.open(path, size, dark)
        page.js(f"window.scriptCount = {page_text.count('<script')}")
        equal(page.save_all("as opened"), FIGURES, "pictures")
        test_choices(page)
        test_numbers(page, report)
        test_tokens(page, report)
        test_grid(page)
        test_map_keys(page, report)
        test_tables(page)
        test_film(page, report)
        test_chart_keys(page, report)
        test_tab_reaches_all(page)
        test_contrast(page)
        page.choose("sentence", 0)
        for measure in range(len(page.options("measure"))):
            page.choose("measure", measure)
            for place in range(len(page.options("place"))):
                page.choose("place", place)
                page.save_all(f"measure {measure}, place {place}")
        test_hostile(page)
        page.quiet("full")


def test_partial(chrome, page_text, folder):
    """What is missing is left out or said; what is long is cut to size."""
    cases = {"bare": (["tokens", "training", "film", "film-lines"], "no maps of this sentence"), "empty": ([], "no sentence"),
             "long": (["links", "grid", "map", "tokens"], "largest of a block")}
    for case, (figures, words) in cases.items():
        path, page = os.path.join(folder, case + ".html"), Page(chrome)
        write_page(page_text, sample.make(case), path)
        for size in (DESK, PHONE):
            page.open(path, size)
            equal(page.save_all(case), figures, f"{case}: pictures")
            check(words in page.text("main"), f"{case}: nothing says {words!r}")
            page.quiet(case)


def test_subwords(chrome, page_text, folder):
    """The mark of a word's begin is read, not shown; pieces that go on with a word have a dot."""
    path, page = os.path.join(folder, "subwords.html"), Page(chrome)
    write_page(page_text, sample.make("subwords"), path)
    page.open(path, DESK)
    check("▁" not in page.text("main"), "a mark of words is shown")
    equal(page.js('[...document.querySelectorAll("#figure-links g.pick text")].map((t) => t.textContent)'),
          ["the", "␣", "·漢", "mag", "·az", "·ines", ".", "</s>", "die", "Zeit", "<unk>", "·en", ".", "</s>"], "tokens")
    equal(page.text(".facts dd"), "the 漢 magazines .", "the source")
    equal(page.options("sentence"), ["1. \u2068the 漢 magazines .\u2069"], "the sentences")
    page.save_all("subwords")
    page.quiet("subwords")


def main():
    if not browser.find():
        print("lab page: skipped, as Chromium (Debian: chromium) is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "page.html")
        subprocess.run([sys.argv[1], "-D", f"PAGE={PAGE}", "-D", f"OUTPUT={output}", "-P", SCRIPT], check=True)
        with open(output, encoding="utf-8") as file:
            page_text = file.read()
        check(len(page_text.encode()) < 1_200_000, "the page is over 1.2 MB")
        equal(page_text.count("/*REPORT*/"), 1, "places for a report")
        with browser.Browser() as chrome:
            test_full(chrome, page_text, folder)
            test_partial(chrome, page_text, folder)
            test_subwords(chrome, page_text, folder)
    print("lab page: passed")


if __name__ == "__main__":
    main()
