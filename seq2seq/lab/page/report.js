"use strict";
// The report, and what is read off it: names of tokens, numbers as text, matrices.

const report = JSON.parse(document.getElementById("report").textContent);

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

// Subwords, as SentencePiece cuts them, have ▁ for the blank before a word, the first one too.
const kWordBegins = "\u2581", kSpecials = ["<pad>", "<unk>", "<s>", "</s>"];
const hasSubwords = report.sentences.length > 0 &&
    report.sentences.every(({source}) => source[0]?.startsWith(kWordBegins));

// A token as it is shown: of subwords, those that go on with a word begin with a dot.
function printable(token) {
  if (!hasSubwords || kSpecials.includes(token)) return visible(token);
  return token.startsWith(kWordBegins) ? visible(token.slice(1) || " ") : `·${visible(token)}`;
}

// The tokens of a sentence as one text.
function sentenceText(tokens) {
  if (!hasSubwords) return tokens.map(printable).join(" ");
  const words = tokens.filter((t) => t === "<unk>" || !kSpecials.includes(t));
  return visible(words.join("").replaceAll(kWordBegins, " ").trim());
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
const labelOf = (measure) => report.measures[measure]?.label ?? measure;

// "exact_match" -> "Exact match"
function spelled(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function meanOf(matrices) {
  if (matrices.length === 1) return matrices[0];
  return matrices[0].map((row, r) => row.map((_, c) => {
    const values = matrices.map((m) => m[r][c]);
    return values.every(isNumber) ? d3.mean(values) : null;
  }));
}

// Rows of {row, column, value}, without what is no number.
function cellsOf(matrix) {
  return matrix.flatMap((values, row) => values.map((value, column) => ({row, column, value})))
      .filter((cell) => isNumber(cell.value));
}

const shapeOf = (matrix) => [matrix.length, matrix[0]?.length ?? 0];

// No more than `most` cells: blocks of them are made one, with the number farthest from 0.
function condensed(matrix, most) {
  const [rows, columns] = shapeOf(matrix);
  const block = Math.ceil(Math.sqrt((rows * columns) / most)) || 1;
  if (block === 1) return {matrix, block};
  const farthest = (r, c) => {
    const values =
        range(block).flatMap((i) => matrix[r * block + i]?.slice(c * block, (c + 1) * block) ?? []);
    return finite(values).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  };
  const blocks = range(Math.ceil(rows / block))
                     .map((r) => range(Math.ceil(columns / block)).map((c) => farthest(r, c)));
  return {matrix: blocks, block};
}
