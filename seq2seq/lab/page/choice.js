"use strict";
// What is looked at: the choices that the sentence, the grid and the map share, their controls, and
// the matrix that they come to.

const choice = {
  sentence: 0,
  measure: "",
  place: "",
  layer: null,
  head: null,
  offset: "output"
};  // null: the mean
const choiceListeners = [];

const kPlaces = {
  cross: "cross-attention",
  encoder: "encoder",
  decoder: "decoder",
  whole: "whole model"
};

const sentenceNow = () => report.sentences[choice.sentence];
const mapsNow = () => sentenceNow()?.maps ?? [];
const mapNow = () =>
    mapsNow().find((m) => m.measure === choice.measure && m.place === choice.place);
const measureNow = () =>
    report.measures[choice.measure] ?? {label: choice.measure, signed: false, unit: ""};
const unique = (values) => [...new Set(values)];

// Choices that this sentence does not have become those that it has.
function settle() {
  const maps = mapsNow();
  if (maps.length === 0) return;
  if (!maps.some((m) => m.measure === choice.measure)) choice.measure = maps[0].measure;
  if (!mapNow()) choice.place = maps.find((m) => m.measure === choice.measure).place;
}

function choose(changes) {
  Object.assign(choice, changes);
  settle();
  for (const listener of choiceListeners) listener();
}

// The layer and the head that a choice comes to where the chosen map has `count` of them.
const within = (index, count) =>
    (count === 1                          ? 0 :
         index !== null && index >= count ? null :
                                            index);
const layerNow = () => within(choice.layer, mapNow().layers.length);
const headNow = () => within(choice.head, mapNow().layers[0].length);

// The matrix of a layer and a head; null for either is the mean.
function matrixOf(map, layer, head) {
  const layers = layer === null ? map.layers : [map.layers[layer]];
  return meanOf(layers.flatMap((heads) => (head === null ? heads : [heads[head]])));
}

const matrixNow = () => matrixOf(mapNow(), layerNow(), headNow());

// What stands at the rows and at the columns of the chosen map: tokens, and what they are.
function axesNow() {
  const {source, target, predicted} = sentenceNow();
  const asRow = choice.offset === "output" ? predicted : target;
  const rowKind = choice.offset === "output" ? "target, produced" : "target, read";
  const sourceAxis = (kind) => ({tokens: source, kind});
  return {
    cross: {rows: {tokens: asRow, kind: rowKind}, columns: sourceAxis("source")},
    encoder: {rows: sourceAxis("source, looking"), columns: sourceAxis("source, looked at")},
    decoder: {
      rows: {tokens: asRow, kind: rowKind},
      columns: {tokens: target, kind: "target, looked at"}
    },
    whole: {
      rows: {tokens: [...source, ...asRow], kind: `source, then ${rowKind}`},
      columns: {tokens: [...source, ...target], kind: "source, then target"}
    },
  }[choice.place];
}

// Gold links as cells of the chosen map: {row, column, sure}. They link words that are produced;
// the decoder reads a word one row after the row that produces it.
function goldNow() {
  const {gold, target} = sentenceNow();
  if (!gold || choice.place !== "cross") return [];
  const shift = choice.offset === "input" ? 1 : 0;
  const cells = (links, sure) =>
      (links ?? []).map(([row, column]) => ({row: row + shift, column, sure}));
  const sure = cells(gold.sure, true);
  const isSure = new Set(sure.map((c) => `${c.row} ${c.column}`));
  return [
    ...cells(gold.possible, false).filter((c) => !isSure.has(`${c.row} ${c.column}`)), ...sure
  ].filter((c) => c.row < target.length);
}

const numbered = (kind, index) => (index === null ? `mean of ${kind}s` : `${kind} ${index + 1}`);

// "Attention weights, cross, layer 2, head 1"
function choiceTitle() {
  const {layers} = mapNow();
  const parts = [measureNow().label, choice.place];
  if (layers.length > 1) parts.push(numbered("layer", layerNow()));
  if (layers[0].length > 1) parts.push(numbered("head", headNow()));
  return parts.join(", ");
}

const unitTitle = () => measureNow().label + (measureNow().unit ? ` (${measureNow().unit})` : "");

// A chooser; options() gives [value, text] pairs, and one that has a single option is off.
function chooser(name, label, options) {
  const select = el("select", {
    id: `choose-${name}`,
    change: () => {
      const [value] = options()[select.selectedIndex];
      choose({[name]: value});
    }
  });
  const refresh = () => {
    const all = options(), now = mapNow() && {layer: layerNow(), head: headNow()}[name];
    select.replaceChildren(...all.map(([value, text]) => {
      const option = el("option", {}, text);
      option.selected = value === (now === undefined ? choice[name] : now);
      return option;
    }));
    select.disabled = all.length < 2;
  };
  choiceListeners.push(refresh);
  return el("label", {class: `chooser ${name}`}, el("span", {}, label), select);
}

const meanAnd = (count) =>
    (count === 1 ? [[0, "only one"]] :
                   [[null, "mean"], ...range(count).map((i) => [i, String(i + 1)])]);

function sentenceName(sentence, i) {
  const text = sentenceText(sentence.source);
  return `${i + 1}. ${isolated(letters(text.slice(0, 300)).slice(0, 70).join(""))}`;
}

// The controls of all choices.
function addControls(host) {
  const maps = mapsNow, map = () => mapNow() ?? {layers: [[[]]]};
  const offsets = () =>
      (choice.place === "encoder" ? [[choice.offset, "no target here"]] :
                                    [["output", "word produced"], ["input", "word read"]]);
  host.append(
      el("div", {class: "controls", role: "group", "aria-label": "What is shown"},
         chooser(
             "sentence", "Sentence", () => report.sentences.map((s, i) => [i, sentenceName(s, i)])),
         chooser(
             "measure", "Measure",
             () => unique(maps().map((m) => m.measure)).map((m) => [m, labelOf(m)])),
         chooser(
             "place", "Place",
             () => maps()
                       .filter((m) => m.measure === choice.measure)
                       .map((m) => [m.place, kPlaces[m.place] ?? m.place])),
         chooser("layer", "Layer", () => meanAnd(map().layers.length)),
         chooser("head", "Head", () => meanAnd(map().layers[0].length)),
         chooser("offset", "Target rows by", offsets)),
      el("p", {class: "how"},
         "A step of the decoder reads the word before and produces the next: a row " +
             "of the target can be named by either."));
}
