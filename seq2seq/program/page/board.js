"use strict";
// Puts the page together and keeps it up to date.

const kPollSeconds = 2;

const sectionOf = (main, id, title, lead) => {
  const section =
      el("section", {id}, el("h2", {}, title), lead ? el("p", {class: "lead"}, lead) : null);
  main.append(section);
  return section;
};

// What a run is doing, as far as its files tell.
function stateOf(run) {
  const row = lastRow(run), at = row ? `update ${grouped(row.step)}` : "";
  const goesOn = row?.step > run.summary?.steps;  // after the end that was reported
  if (run.summary && !goesOn) return `finished${at && `, ${at}`}`;
  if (!row) return run.seen.settings ? "nothing written yet" : `waiting for ${run.directory}`;
  return run.age === null ? at : `${at}, written ${duration(Math.round(run.age))} ago`;
}

function notesOf({notes, damaged}) {
  const lines = Object.entries(damaged)
                    .filter(([, count]) => count > 0)
                    .map(
                        ([name, count]) => `${name}.jsonl: ${grouped(count)} damaged ${
                            count === 1 ? "line is" : "lines are"} left out`);
  return [...lines, ...Object.values(notes).filter(Boolean).map(visible)].join("; ");
}

function addRunList(header, redraw) {
  const items = runs.map((run) => {
    const box = el("input", {
      type: "checkbox",
      checked: true,
      change: () => {
        run.shown = box.checked;
        redraw();
      }
    });
    const state = el("span", {class: "state"}), notes = el("span", {class: "notes"});
    const item =
        el("li", {title: run.directory}, el("label", {}, box, runName(run), " ", state), notes);
    const update = () => {
      state.textContent = stateOf(run);
      notes.textContent = notesOf(run);
    };
    return {item, update};
  });
  header.append(el("ul", {id: "runs"}, ...items.map(({item}) => item)));
  return () => items.forEach(({update}) => update());
}

function build() {
  const main = document.getElementById("main"), header = document.querySelector("header");
  main.replaceChildren();
  const redraw = () =>
      draw({metrics: true, samples: true, film: true, settings: true, summary: true});
  const list = addRunList(header, redraw);
  const curves = addCharts(main);
  const learning = sectionOf(
      main, "attention", "Attention as it forms",
      "Cross-attention of one short validation sentence, the mean of each layer's heads: rows " +
          "are what is written, columns what it looks at.");
  const attention = addAttention(learning);
  const samples = addSampleView(sectionOf(
      main, "samples", "Samples",
      "Validation sentences as the runs translate them; what the reference does not have is " +
          "marked."));
  const slider = addMoment(main);
  const gradients = addGradients(sectionOf(
      main, "gradients", "Gradient norm by layer", "Of the updates before each validation."));
  const summaries = addSummaries(sectionOf(
      main, "summary", "Results",
      "What a run reports at its end, by its best model. weft lab shows what that model attends " +
          "to."));
  const settings = addSettings(sectionOf(main, "settings", "Settings", ""));
  moment.listeners.push(curves, attention, samples);
  const draw = (changed) => {
    list();
    if (changed.metrics) curves();
    if (changed.film || changed.samples) slider();
    if (changed.film) [attention, gradients].forEach((show) => show());
    if (changed.samples) samples();
    if (changed.summary) summaries();
    if (changed.settings) settings();
  };
  redraw();
  return draw;
}

// Where the program has ended, what is shown stays.
async function poll(draw) {
  const link = document.getElementById("link"), changed = {};
  try {
    for (const run of runs) await follow(run, changed);
    link.textContent = "";
  } catch (error) {
    link.textContent = "weft board does not answer: this is what it said last.";
  }
  draw(changed);
}

async function start() {
  const {runs: directories} = await ask("/runs");
  addRuns(directories);
  const names = runs.map(({name}) => name).join(", ");
  document.title = `${names} – weft board`;
  document.getElementById("title").textContent = runs.length === 1 ? names : `${runs.length} runs`;
  const draw = build();
  for (;;) {
    if (!document.hidden) await poll(draw);
    await new Promise((done) => setTimeout(done, 1000 * kPollSeconds));
  }
}

start();
