"use strict";
// What the runs make of the same validation sentences, and how that came about.

const kMostWords = 120;   // of a sentence whose words are compared
const kMostStages = 200;  // of a translation that are listed
const opened = new Set();

// Which words of a text stand in the longest sequence that it shares with the reference.
function sharedWords(words, reference) {
  if (words.length > kMostWords || reference.length > kMostWords) return words.map(() => true);
  const longest = range(words.length + 1).map(() => new Array(reference.length + 1).fill(0));
  for (let i = words.length - 1; i >= 0; --i)
    for (let j = reference.length - 1; j >= 0; --j)
      longest[i][j] = words[i] === reference[j] ? longest[i + 1][j + 1] + 1 :
                                                  Math.max(longest[i + 1][j], longest[i][j + 1]);
  const shared = words.map(() => false);
  for (let i = 0, j = 0; i < words.length && j < reference.length;) {
    if (words[i] === reference[j] && longest[i][j] === longest[i + 1][j + 1] + 1) {
      shared[i++] = true;
      ++j;
    } else if (longest[i + 1][j] >= longest[i][j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return shared;
}

// A translation, with what the reference does not have marked.
function translationElement(text, reference) {
  const words = text.split(" "), shared = sharedWords(words, (reference ?? "").split(" "));
  const parts = words.flatMap(
      (word,
       i) => [i ? " " : "", shared[i] ? visible(word) : el("span", {class: "off"}, visible(word))]);
  if (text === reference) parts.push(el("span", {class: "same", title: "the reference"}, " ✓"));
  return el("bdi", {class: "text"}, text === "" ? visible(text) : parts);
}

// What a sentence was translated to, each with the update that it began at.
function stagesOf(run, index) {
  const stages = [];
  for (const {step, translation} of run.samples.at)
    if (translation[index] !== undefined && translation[index] !== stages.at(-1)?.text)
      stages.push({step, text: translation[index]});
  return stages.slice(-kMostStages);
}

function stagesElement(members, index) {
  const key = `${members[0].index} ${index}`;
  const details = el(
      "details",
      {open: opened.has(key), toggle: () => (details.open ? opened.add(key) : opened.delete(key))},
      el("summary", {}, "How it came about"),
      ...members.map(
          (run) =>
              el("ol", {class: "stages"},
                 ...stagesOf(run, index)
                     .map(
                         ({step, text}) =>
                             el("li", {}, runName(run), ` from update ${grouped(step)}: `,
                                translationElement(text, run.samples.reference[index]))))));
  return details;
}

function sentenceElement(members, index) {
  const {source, reference} = members[0].samples;
  const row = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  const plain = (text) => el("bdi", {class: "text"}, visible(text ?? ""));
  const made = members.map((run) => {
    const at = atMoment(run.samples.at, "step"), text = at?.translation[index];
    return row(runName(run), text === undefined ? "–" : translationElement(text, reference[index]));
  });
  return el(
      "article", {class: "sentence"},
      el("dl", {class: "facts"}, row("Source", plain(source[index])),
         row("Reference", plain(reference[index])), ...made),
      stagesElement(members, index));
}

function addSampleView(section) {
  const box = el("div", {class: "sentences"});
  section.append(box);
  return () => {
    const found = shownRuns().filter(({samples}) => samples.at.length > 0);
    const groups = Map.groupBy(found, ({samples}) => JSON.stringify(samples.source));
    box.replaceChildren(...[...groups.values()].flatMap(
        (members) => members[0].samples.source.map((_, index) => sentenceElement(members, index))));
    section.hidden = found.length === 0;
  };
}
