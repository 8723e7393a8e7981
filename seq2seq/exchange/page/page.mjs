// The page of an exported model: a sentence in, its translation and the attention that led to it out.
// Everything comes from the folder of the page; nothing leaves the browser.
import { Translator } from "./translate.mjs";

const of = (id) => document.getElementById(id);
const button = document.querySelector("button");

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const shown = (token) => (token.trim() === "" ? "\u2423" : token);

/** A row for each token of the target, a column for each of the source; darker is more weight. */
function heatMap({ source, target, attention }) {
  const head = element("tr", "");
  head.append(element("td", ""), ...source.map((token) => element("th", shown(token), { scope: "col" })));
  const rows = target.map((token, t) => {
    const row = element("tr", "");
    const cells = attention[t].map((weight) => {
      const percent = `${Math.round(100 * weight)} %`;
      return element("td", "", { style: `--weight: ${weight.toFixed(3)}`, title: percent, "aria-label": percent });
    });
    row.append(element("th", shown(token), { scope: "row" }), ...cells);
    return row;
  });
  const [table, thead, tbody] = ["table", "thead", "tbody"].map((tag) => element(tag, ""));
  thead.append(head);
  tbody.append(...rows);
  table.append(element("caption", "Where each token comes from: attention to the source, mean over heads"), thead, tbody);
  return table;
}

async function translate(translator) {
  button.disabled = true;
  const from = performance.now();
  try {
    const found = await translator.translate(of("source").value.replace(/\r?\n/g, " "));
    const ms = Math.round(performance.now() - from);
    of("translation").value = found.text;
    of("facts").textContent = `${found.target.length} tokens in ${ms} ms; log-probability ${found.logProb.toFixed(3)}`;
    of("links").replaceChildren(...(found.target.length ? [heatMap(found)] : []));
  } catch (error) {
    of("facts").textContent = `Not translated: ${error.message ?? error}`;
  } finally {
    button.disabled = false;
  }
}

async function read(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

async function runtime() {
  try {
    const ort = await import("./ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
    return ort;
  } catch (error) {
    throw new Error(`ONNX Runtime is not in this folder; scripts/browser_page.sh puts it there (${error.message})`);
  }
}

try {
  const translator = await Translator.load(await runtime(), read);
  document.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    translate(translator);
  });
  button.disabled = false;
  of("facts").textContent = "Ready.";
  of("source").focus();
} catch (error) {
  of("facts").textContent = `The model cannot be loaded: ${error.message ?? error}`;
}
