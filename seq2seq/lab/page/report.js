"use strict";
// The report, and what is read off it: names of tokens, matrices.

const report = JSON.parse(document.getElementById("report").textContent);

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

const labelOf = (measure) => report.measures[measure]?.label ?? measure;

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
