#!/usr/bin/env python3
"""Trains in the page of examples/browser, in a headless Chromium: training_page.py SOURCES [SCREENSHOT]

Builds the page with scripts/browser.sh, opens it as a file and lets it train to the end: the loss falls, held-out
sentences are translated exactly, attention and its gradient are drawn, a pause is one, and nothing is asked of any
network. Exit status 77: there is no Emscripten or no Chromium.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(ROOT, "tests/seq2seq/lab/page"))
import browser  # noqa: E402
from check import check  # noqa: E402

PAGE = os.path.join(ROOT, "build/browser/weft.html")
MOST_BYTES, LEAST_EXACT, MOST_SECONDS = 3_000_000, 98, 1200


def status(chrome):
    return chrome.evaluate('document.getElementById("status").textContent')


def wait_for(chrome, pattern, seconds):
    """The status that matches."""
    until = time.monotonic() + seconds
    while not re.search(pattern, text := status(chrome)):
        check("stopped" not in text and time.monotonic() < until, f"waited for {pattern!r}; the page says {text!r}")
        time.sleep(0.2)
    return text


def click(chrome):
    chrome.evaluate('document.getElementById("start").click()')


def cells(chrome, table):
    """Values of the table's rows."""
    return chrome.evaluate(f"""[...document.querySelectorAll("#{table} tbody tr")].map(
        (row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.title)))""")


def check_maps(chrome):
    """Attention sums to 1 over the English words; the gradient is there, of either sign."""
    weights, gradient = cells(chrome, "weights"), cells(chrome, "gradient")
    check(len(weights) > 3 and all(abs(sum(row) - 1) < 0.01 for row in weights), f"attention: {weights}")
    check([len(row) for row in gradient] == [len(row) for row in weights], "maps of two shapes")
    flat = sum(gradient, [])
    check(min(flat) < 0 < max(flat), f"gradient: {gradient}")


def check_pause(chrome):
    click(chrome)
    wait_for(chrome, r"^Update", 60)
    time.sleep(1)
    before = status(chrome)
    time.sleep(1)
    check(status(chrome) == before, "the page trains while it pauses")
    click(chrome)
    check_maps(chrome)


def check_events(chrome):
    for method, params in chrome.events:
        if method == "Network.requestWillBeSent":
            check(params["request"]["url"].startswith(("file:", "data:", "blob:")), f"asked for {params['request']['url']}")
        check(method != "Runtime.exceptionThrown", json.dumps(params)[:800])
        if method == "Log.entryAdded":
            check(params["entry"]["level"] != "error", json.dumps(params)[:800])


def main():
    if not shutil.which("em++") or not browser.find():
        print("browser: skipped, as Emscripten (Debian: emscripten) or Chromium (chromium) is missing")
        sys.exit(77)
    subprocess.run([os.path.join(ROOT, "scripts/browser.sh")], check=True)
    check(os.path.getsize(PAGE) < MOST_BYTES, f"the page has {os.path.getsize(PAGE)} bytes")
    with browser.Browser() as chrome:
        chrome.show(1100, 1300)
        chrome.open(PAGE)
        wait_for(chrome, "Ready", 120)
        click(chrome)
        wait_for(chrome, r"^Update \d", 60)
        check_pause(chrome)
        done = wait_for(chrome, r"^Done", MOST_SECONDS)
        check_maps(chrome)
        check_events(chrome)
        if len(sys.argv) > 2:
            chrome.screenshot(sys.argv[2])
    print(f"browser: {done}")
    check(float(re.search(r"([\d.]+) % of", done)[1]) >= LEAST_EXACT, f"fewer than {LEAST_EXACT} %: {done}")


if __name__ == "__main__":
    main()
