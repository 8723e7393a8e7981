// Translates with what `weft export --onnx` wrote, through ONNX Runtime, in a browser or in Node. Every
// step runs the decoder over all that is written so far; the likeliest token goes on: `weft run --beam 1`.

const BLANK = "\u2581"; // begins a subword that begins a word
const UNKNOWN_TEXT = "\u2047";
const SPACES = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;

const wordsOf = (text) => text.split(SPACES).filter((word) => word !== "");

/** Text to ids and back, as weft does it. `file` is vocabulary.json, `special` decoding.json. */
export class Vocabulary {
  constructor({ kind, pieces }, special) {
    this.kind = kind;
    this.special = special;
    this.names = ["<pad>", "<unk>", "<s>", "</s>", ...pieces];
    this.ids = new Map(pieces.map((piece, i) => [piece, i + 4]));
  }

  /** Ids of a sentence, without its end. */
  encode(text) {
    const idOf = (piece) => this.ids.get(piece) ?? this.special.unknown;
    if (this.kind === "characters") return [...text].map(idOf);
    if (this.kind === "words") return wordsOf(text).map(idOf);
    return wordsOf(text).reduce((ids, word) => this.#append(BLANK + word, ids), []);
  }

  // Byte-pair encoding of a word: of all neighbours that make a piece, those that make the first one in
  // the list are merged, until none are left. A run of unknown characters is one id.
  #append(word, ids) {
    const parts = [...word];
    for (;;) {
      let best = Infinity, at = -1;
      for (let i = 0; i + 1 < parts.length; ++i) {
        const id = this.ids.get(parts[i] + parts[i + 1]) ?? Infinity;
        if (id < best) [best, at] = [id, i];
      }
      if (at < 0) break;
      parts.splice(at, 2, parts[at] + parts[at + 1]);
    }
    for (const part of parts) {
      const id = this.ids.get(part) ?? this.special.unknown;
      if (id !== this.special.unknown || ids.at(-1) !== id) ids.push(id);
    }
    return ids;
  }

  /** The text of ids without begin and end. */
  decode(ids) {
    const texts = ids.map((id) => (id === this.special.unknown ? UNKNOWN_TEXT : this.names[id]));
    if (this.kind === "words") return texts.join(" ");
    if (this.kind === "characters") return texts.join("");
    return texts.join("").replace(BLANK, (mark, at) => (at === 0 ? "" : mark)).replaceAll(BLANK, " ");
  }
}

/** Index of the largest value from `first` on, the first of equals. */
function likeliest(values, first) {
  let best = first;
  for (let i = first + 1; i < values.length; ++i) if (values[i] > values[best]) best = i;
  return best;
}

/** A source's weights, the mean over heads of the last decoder layer but one (or the only one). */
function attentionOf({ data, dims }) {
  const [, layers, heads, source] = dims;
  const layer = Math.max(0, layers - 2);
  return Array.from({ length: source }, (_, s) => {
    let sum = 0;
    for (let head = 0; head < heads; ++head) sum += data[(layer * heads + head) * source + s];
    return sum / heads;
  });
}

export class Translator {
  /** `ort` is ONNX Runtime; `read` gives an exported file by its name, as an ArrayBuffer. */
  static async load(ort, read) {
    const json = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
    const open = async (name) => ort.InferenceSession.create(new Uint8Array(await read(name)));
    const special = await json("decoding.json");
    const vocabulary = new Vocabulary(await json("vocabulary.json"), special);
    return new Translator(ort, special, vocabulary, await open("encoder.onnx"), await open("decoder_step.onnx"));
  }

  constructor(ort, special, vocabulary, encoder, step) {
    Object.assign(this, { ort, special, vocabulary, encoder, step });
  }

  #int64(values, dims) {
    return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), dims);
  }

  #longest(source) {
    const { longest_target_least, longest_target_slope, longest_target_offset } = this.special;
    return Math.max(longest_target_slope * source + longest_target_offset, longest_target_least);
  }

  /**
   * The translation of a sentence: its text, the names of the tokens of both sides, the log-probability of all
   * that was chosen in nats, and a row of attention to the source for each token. An empty one of an empty one.
   */
  async translate(text) {
    const { begin, end, longest_source } = this.special;
    const source = [...this.vocabulary.encode(text).slice(0, longest_source - 1), end];
    const names = (ids) => ids.map((id) => this.vocabulary.names[id]);
    const found = { text: "", source: names(source), target: [], logProb: 0, attention: [] };
    if (source.length === 1) return found;
    const lengths = this.#int64([source.length], [1]);
    const ids = this.#int64(source, [1, source.length]);
    const { memory } = await this.encoder.run({ ids, lengths });
    const written = [begin];
    const longest = this.#longest(source.length);
    while (written.length <= longest) {
      const feeds = { ids: this.#int64(written, [1, written.length]), memory, lengths };
      const { log_probs, attention } = await this.step.run(feeds);
      const id = likeliest(log_probs.data, end);
      found.logProb += log_probs.data[id];
      found.target.push(this.vocabulary.names[id]);
      found.attention.push(attentionOf(attention));
      if (id === end) break;
      written.push(id);
    }
    found.text = this.vocabulary.decode(written.slice(1));
    return found;
  }
}
