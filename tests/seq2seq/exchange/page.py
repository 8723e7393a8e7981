#!/usr/bin/env python3
"""Checks the page beside an exported model in a headless Chromium: page.py PROGRAM

The page, served on the loopback address, translates sentences as `weft run --beam 1` does; it asks nobody but
its server for anything, and no text of a user becomes an element. Exit status 77: there is no Chromium or no
ONNX Runtime (scripts/onnxruntime.sh).
"""
import functools
import http.server
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")
sys.path.insert(0, os.path.join(HERE, "../lab/page"))
import browser  # noqa: E402

RUNTIME = os.environ.get("WEFT_ONNXRUNTIME", os.path.join(ROOT, "build/onnxruntime"))
DIST = os.path.join(RUNTIME, "node_modules/onnxruntime-web/dist")
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
WORDS = "red green blue grün weiß naïve 漢字 a ab <b>x</b>".split()
MODEL = ["--layers", "2", "--heads", "2", "--ffn", "32", "--d-model", "16", "--steps", "40", "--warmup", "10", "--lr", "1e-2",
         "--max-tokens", "512", "--threads", "1"]


def check(ok, what):
    if not ok:
        raise AssertionError(what)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/"


def export(program, folder, tokens):
    """A trained model and its page: the folders of both, and sentences."""
    rng = random.Random(tokens)
    sentences = [[rng.choice(WORDS) for _ in range(rng.randint(1, 6))] for _ in range(220)]
    pairs, model, page = (os.path.join(folder, tokens + name) for name in (".tsv", "-model", "-page"))
    with open(pairs, "w", encoding="utf-8") as file:
        file.writelines(f"{' '.join(s)}\t{' '.join(reversed(s))}\n" for s in sentences[20:])
    size = ["--vocab-size", "60"] if tokens == "subword" else []
    subprocess.run([program, "train", "--data", pairs, "--tokens", tokens, *size, "--model-dir", model, *MODEL],
                   check=True, capture_output=True)
    subprocess.run([program, "export", "--model-dir", model, "--onnx", page], check=True)
    return model, page, [" ".join(s) for s in sentences[:20]]


def by_weft(program, model, sentences):
    done = subprocess.run([program, "run", "--beam", "1", "--model-dir", model], input="".join(s + "\n" for s in sentences),
                          capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def wait_for(chrome, condition):
    chrome.evaluate(f"""new Promise((done) => {{
        const look = () => ({condition}) ? done() : setTimeout(look, 10); look(); }})""")


def translate(chrome, sentence):
    chrome.evaluate(f"""document.getElementById("source").value = {json.dumps(sentence)};
                        document.querySelector("form").requestSubmit();""")
    wait_for(chrome, '!document.querySelector("button").disabled')
    return chrome.evaluate('document.getElementById("translation").value')


def check_heat_map(chrome, sentence):
    """Rows of weights that sum to 1, under the tokens of the sentence."""
    columns, sums = chrome.evaluate("""[document.querySelectorAll("thead th").length,
        [...document.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map(
            (cell) => Number(cell.style.getPropertyValue("--weight"))).reduce((a, b) => a + b, 0))]""")
    check(columns > 1, f"{sentence}: {columns} columns")
    check(sums and all(abs(s - 1) < 0.02 for s in sums), f"{sentence}: rows of attention sum to {sums}")


def check_events(chrome, address):
    for method, params in chrome.events:
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            check(url.startswith((address, "data:", "blob:")), f"asked for {url}")
        check(method != "Runtime.exceptionThrown", json.dumps(params)[:800])
        if method == "Log.entryAdded":
            check(params["entry"]["level"] != "error", json.dumps(params)[:800])
    chrome.events.clear()


def test_without_runtime(chrome, address):
    chrome.open(address)
    wait_for(chrome, 'document.getElementById("facts").textContent.includes("cannot be loaded")')
    check("scripts/browser_page.sh" in chrome.evaluate('document.getElementById("facts").textContent'), "no word on what is missing")
    chrome.events.clear()


def test_translations(chrome, address, expected):
    chrome.open(address)
    wait_for(chrome, 'document.getElementById("facts").textContent !== "The model is being loaded."')
    check(chrome.evaluate('document.getElementById("facts").textContent') == "Ready.",
          chrome.evaluate('document.getElementById("facts").textContent'))
    for sentence, translation in expected:
        found = translate(chrome, sentence)
        check(found == translation, f"{sentence!r}: got {found!r}, weft {translation!r}")
        check_heat_map(chrome, sentence)
    check(chrome.evaluate('document.querySelectorAll("b").length') == 0, "a text became an element")
    check(translate(chrome, "") == "", "an empty sentence has a translation")
    check_events(chrome, address)


def main():
    if not browser.find() or not os.path.isdir(DIST):
        print("exported page: skipped, as Chromium (Debian: chromium) or ONNX Runtime (scripts/onnxruntime.sh) is missing")
        sys.exit(77)
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, browser.Browser() as chrome:
        for tokens in ("char", "word", "subword"):
            model, page, sentences = export(program, folder, tokens)
            server, address = serve(page)
            if tokens == "char":
                test_without_runtime(chrome, address)
            for file in FILES:
                shutil.copy(os.path.join(DIST, file), page)
            test_translations(chrome, address, list(zip(sentences, by_weft(program, model, sentences))))
            server.shutdown()
            print(f"exported page: {tokens}: {len(sentences)} sentences as weft run")


if __name__ == "__main__":
    main()
