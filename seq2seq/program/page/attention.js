"use strict";
// What films of training hold: the attention of one sentence, and gradients by layer.

const kCell = 17, kLongestToken = 12, kLongestLayer = 30, kLetterWidth = 6.6;
const kWordBegins = "\u2581", kSpecials = ["<pad>", "<unk>", "<s>", "</s>"];

function cutTo(text, most) {
  const letters = Array.from(text);
  return letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : text;
}

// Of subwords, those that go on with a word begin with a dot.
function tokenText(token, subwords) {
  const plain = !subwords || kSpecials.includes(token);
  const text = plain                ? visible(token) :
      token.startsWith(kWordBegins) ? visible(token.slice(1) || " ") :
                                      `·${visible(token)}`;
  return cutTo(text, kLongestToken);
}

// About as wide as the longest of some names.
const labelWidth = (names) =>
    10 + kLetterWidth * Math.max(0, ...names.map((name) => Array.from(name).length));

// A grid of cells of weights in [0, 1], with names of rows and of columns, which lean to the right;
// say(row, column) is told which one the pointer is at.
function cellGrid({rows, columns, weight, label, cell, say}) {
  const left = labelWidth(rows), lean = columns.some(Boolean) ? labelWidth(columns) : 0;
  const top = 4 + 0.77 * lean, width = left + columns.length * cell.width + 0.65 * lean,
        height = top + rows.length * cell.height;
  const cells = rows.map((_, r) => columns.map((_, c) => svg("rect", {
                                                 x: left + c * cell.width,
                                                 y: top + r * cell.height,
                                                 width: cell.width - 1,
                                                 height: cell.height - 1,
                                                 "fill-opacity": weight(r, c)
                                               })));
  const names = rows.map(
      (name, r) =>
          svg("text",
              {x: left - 5, y: top + (r + 0.5) * cell.height, dy: "0.35em", "text-anchor": "end"},
              name));
  const heads = columns.map((name, c) => {
    const place = `translate(${left + (c + 0.6) * cell.width},${top - 5}) rotate(-50)`;
    return name ? svg("text", {transform: place}, name) : [];
  });
  const picture = svg(
      "svg", {width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label},
      svg("g", {class: "cells"}, cells), names, heads);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect(), scale = width / box.width;
    const c = Math.floor(((event.clientX - box.left) * scale - left) / cell.width);
    const r = Math.floor(((event.clientY - box.top) * scale - top) / cell.height);
    if (r in rows && c in columns) say(r, c);
  });
  return picture;
}

function attentionMap({source, predicted}, frame, layer, say) {
  const name = (tokens) => tokens.map((t) => tokenText(t, source[0]?.startsWith(kWordBegins)));
  const rows = name(predicted), columns = name(source);
  const first = layer * rows.length * columns.length;
  const side = Math.max(kCell, Math.min(28, 220 / columns.length));
  const weight = (r, c) => frame.maps[first + r * columns.length + c] ?? 0;
  const grid = cellGrid({
    rows,
    columns,
    weight,
    label: `Attention of layer ${layer + 1} at update ${frame.update}`,
    cell: {width: side, height: side},
    say: (r, c) =>
        say(`Layer ${layer + 1}: ${rows[r]} looks at ${columns[c]} with ${format(weight(r, c))}`)
  });
  return el("div", {class: "map"}, el("p", {}, `layer ${layer + 1}`), grid);
}

const runCard = (run, words, ...content) =>
    el("article", {class: "card"}, el("h3", {}, runName(run), el("small", {}, ` ${words}`)),
       ...content);

const filmRuns = (has) =>
    shownRuns().filter(({film}) => film && film.frames.length > 0 && has(film));

function addAttention(section) {
  const said =
      el("p", {id: "attention-said", class: "readout-line"}, "Point at a cell to read it.");
  const box = el("div", {class: "cards"});
  section.append(said, box);
  return () => {
    const found = filmRuns(({map_layers}) => map_layers > 0);
    box.replaceChildren(...found.map((run) => {
      const frame = atMoment(run.film.frames, "update");
      const say = (text) => (said.textContent = text);
      return runCard(
          run, `update ${grouped(frame.update)}`,
          el("div", {class: "maps"},
             ...range(run.film.map_layers)
                 .map((layer) => attentionMap(run.film, frame, layer, say))));
    }));
    section.hidden = found.length === 0;
  };
}

// Rows are layers, columns the frames; strength goes by the logarithm, on one scale for all runs.
function gradientStrips({film}, [least, most], say) {
  const {layers, frames} = film;
  const strength = (value) => {
    if (!(value > 0)) return 0;
    return 0.08 + (0.92 * Math.log(value / least)) / (Math.log(most / least) || 1);
  };
  return cellGrid({
    rows: layers.map((layer) => cutTo(shortPath(layer), kLongestLayer)),
    columns: frames.map(() => ""),
    weight: (r, c) => strength(frames[c].norm[r]).toFixed(3),
    label: "Gradient norm by layer and update",
    cell: {width: Math.max(5, Math.min(kCell, 420 / frames.length)), height: kCell},
    say: (r, c) => say(`${shortPath(layers[r])}, update ${grouped(frames[c].update)}: ${
        format(frames[c].norm[r])}`)
  });
}

function addGradients(section) {
  const said = el("p", {id: "gradients-said", class: "readout-line"});
  const box = el("div", {class: "cards"});
  section.append(said, box);
  return () => {
    const found = filmRuns(({layers}) => layers.length > 0);
    const ends = extent(found.flatMap(({film}) => film.frames.flatMap(({norm}) => norm)), true);
    box.replaceChildren(...found.map((run) => {
      const updates = run.film.frames.map(({update}) => grouped(update));
      const words = updates.length > 1 ? `updates ${updates[0]} to ${updates.at(-1)}` :
                                         `update ${updates[0]}`;
      return runCard(
          run, words, gradientStrips(run, ends ?? [1, 1], (text) => (said.textContent = text)));
    }));
    if (ends) said.textContent = `From ${format(ends[0])}, pale, to ${format(ends[1])}.`;
    section.hidden = found.length === 0;
  };
}
