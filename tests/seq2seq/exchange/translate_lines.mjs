// Translates standard input with an exported model, a line for each line, as `weft run --n-best 1` prints
// it but for the score: number, log-probability, text, set apart by tabs.
//   node translate_lines.mjs FOLDER DIR, where the npm package onnxruntime-web is installed and what was exported
import { readFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { Translator } from "../../../seq2seq/exchange/page/translate.mjs";

const [, , folder, dir] = process.argv;
const ort = createRequire(join(folder, "package.json"))("onnxruntime-web");
ort.env.wasm.numThreads = 1;
const translator = await Translator.load(ort, (name) => readFile(join(dir, name)));
const lines = readFileSync(0, "utf8").split("\n").slice(0, -1);
for (const [i, line] of lines.entries()) {
  const { text, logProb } = await translator.translate(line);
  console.log(`${i + 1}\t${logProb}\t${text}`);
}
