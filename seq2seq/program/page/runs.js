"use strict";
// The runs, and what their directories have told of them so far. The server is asked for what is
// new since; it has read everything in them already, but for what their texts say.

const kMostRows = 8192;     // of a log; of more, every second one goes
const kMostValues = 16384;  // characters of a text

const runs = [];

// What tells runs apart: the last parts of their paths, or all of them.
function runNames(directories) {
  const last = (path) => path.split("/").filter((part) => part && part !== ".").at(-1) ?? path;
  const names = directories.map(last);
  return new Set(names).size === names.length ? names : directories;
}

function addRuns(directories) {
  const names = runNames(directories);
  directories.forEach((directory, index) => runs.push({
    index,
    directory: visible(directory),
    name: visible(names[index]),
    shown: true,
    age: null,
    training: [],
    validation: [],
    samples: {source: [], reference: [], at: []},
    film: null,
    settings: null,
    summary: null,
    notes: {},
    damaged: {metrics: 0, samples: 0},
    seen: {metrics: "", samples: "", film: "", settings: "", summary: ""},
  }));
}

const shownRuns = () => runs.filter((run) => run.shown);
const lastRow = (run) => run.training.at(-1) ?? run.validation.at(-1);
const runClass = ({index}) => `run run-${index % 8}${index >= 8 ? " run-dashed" : ""}`;
const runName = (run) =>
    el("span", {class: runClass(run)}, el("i", {class: "swatch"}), " ", el("bdi", {}, run.name));

function addBounded(list, row) {
  list.push(row);
  if (list.length > kMostRows) list.splice(0, list.length, ...list.filter((_, i) => i % 2 === 0));
}

function addMetrics(run, line) {
  addBounded("valid_loss" in line ? run.validation : run.training, line);
}

function addSamples({samples}, {step, source, reference, translation}) {
  const cut = (texts) => texts.map((text) => text.slice(0, kMostValues));
  if (source) samples.source = cut(source);
  if (reference) samples.reference = cut(reference);
  if (translation) addBounded(samples.at, {step, translation: cut(translation)});
}

// Whether a log has changed. One that cannot be read just now is asked for again.
function takeLog(run, name, {note, cursor, anew, damaged, lines}, forget, add) {
  run.notes[name] = note;
  if (note) return false;
  const changed = run.seen[name] !== cursor;
  if (anew && changed) {
    forget();
    run.damaged[name] = 0;
  }
  run.seen[name] = cursor;
  run.damaged[name] += changed ? damaged : 0;
  if (changed) lines.forEach((line) => add(run, line));
  return changed;
}

// Whether a file has changed.
function takeFile(run, name, data, make) {
  if (data === null) return false;
  run.seen[name] = data.tag;
  run.notes[name] = data.note;
  run[name] = data.value === null ? null : make(data.value);
  return true;
}

// Which parts of a run an answer of the server changes.
function take(run, data) {
  run.age = data.age;
  return {
    metrics: takeLog(
        run, "metrics", data.metrics,
        () => {
          run.training = [];
          run.validation = [];
        },
        addMetrics),
    samples: takeLog(
        run, "samples", data.samples,
        () => {
          run.samples = {source: [], reference: [], at: []};
        },
        addSamples),
    film: takeFile(run, "film", data.film, ([subject, ...frames]) => ({...subject, frames})),
    settings: takeFile(run, "settings", data.settings, (values) => values),
    summary: takeFile(run, "summary", data.summary, (values) => values),
  };
}

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// Asks for all that is new of a run; marks in `changed` what that changes.
async function follow(run, changed) {
  for (let more = true; more;) {
    const data = await ask(`/data?${new URLSearchParams({run: run.index, ...run.seen})}`);
    for (const [part, is] of Object.entries(take(run, data))) changed[part] ||= is;
    more = data.metrics.more || data.samples.more;
  }
}
