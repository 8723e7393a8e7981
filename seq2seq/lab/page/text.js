"use strict";
// Texts and numbers as pages show them.

// Text as it is shown: what cannot be seen, and what XML does not allow, by signs.
function visible(text) {
  if (text === "") return "(empty)";
  const shown =
      text.replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
          .replace(/[\u007f-\u009f\ufffe\uffff\u2028\u2029]/g, "\ufffd")
          .replace(
              /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "")  // would turn the text around them
          .replace(
              /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return shown.trim() === "" ? "␣".repeat(Math.max(1, shown.length)) : shown;
}

// For where no element can keep a token apart: text that runs from right to left turns nothing
// else.
const isolated = (text) => `\u2068${text}\u2069`;

// Three significant digits, with a true minus; "–" where there is no number.
function format(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return String(value).replace("-", "−");
  const text = size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(1) :
                                                             String(Number(value.toPrecision(3)));
  return text.replace(".0e", "e").replace("e+", "e").replaceAll("-", "−");
}

// Two digits, for where there is little room.
const brief = (value) => format(Number(value.toPrecision(2)));

const range = (n) => Array.from({length: n}, (_, i) => i);
const isNumber = (value) => value !== null && value !== undefined && Number.isFinite(value);
const finite = (values) => values.filter(isNumber);
const size = (value) => (isNumber(value) ? Math.abs(value) : 0);

// "exact_match" -> "Exact match"
function spelled(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// "transformer.encoder.layers.0.self_attn" -> "encoder 1 self_attn"
const shortPath = (path) => visible(path)
                                .replace(/^transformer\./, "")
                                .replace(/\.?layers\.(\d+)/g, (_, n) => ` ${Number(n) + 1}`)
                                .replaceAll(".", " ");
