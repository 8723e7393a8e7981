"use strict";
// What the runs report at their ends, and their settings, side by side.

// Rows of [name, value of each run as text, whether the values differ].
function sideBySide(found, part, text) {
  const names = [...new Set(found.flatMap((run) => Object.keys(run[part])))];
  return names.map((name) => {
    const values =
        found.map((run) => (Object.hasOwn(run[part], name) ? text(name, run[part][name]) : "–"));
    return [name, values, new Set(values).size > 1];
  });
}

function tableElement(found, rows, spell, label) {
  const head =
      el("tr", {}, el("th", {}, el("span", {class: "unseen"}, "name")),
         ...found.map((run) => el("th", {scope: "col"}, runName(run))));
  const body = rows.map(
      ([name, values, differs]) =>
          el("tr", {class: differs && found.length > 1 ? "differs" : null},
             el("th", {scope: "row"}, spell(name)),
             ...values.map((value) => el("td", {}, el("bdi", {}, value)))));
  return el(
      "div", {class: "scroll"},
      el("table", {"aria-label": label}, el("thead", {}, head), el("tbody", {}, body)));
}

function summaryText(name, value) {
  if (typeof value !== "number") return visible(String(value));
  if (name === "seconds") return duration(value);
  return Number.isInteger(value) ? grouped(value) : String(Number(value.toPrecision(4)));
}

function addSummaries(section) {
  const box = el("div", {});
  section.append(box);
  return () => {
    const found = shownRuns().filter(({summary}) => summary);
    section.hidden = found.length === 0;
    const rows = sideBySide(found, "summary", summaryText);
    box.replaceChildren(tableElement(
        found, rows, (name) => kMetricTitles.get(name) ?? visible(spelled(name)), "Results"));
  };
}

function addSettings(section) {
  const same = el("p", {class: "quiet"}, "The settings of these runs are the same.");
  const differing = el("div", {id: "differences"}), all = el("div", {});
  section.append(
      same, differing, el("details", {id: "all-settings"}, el("summary", {}, "All settings"), all));
  return () => {
    const found = shownRuns().filter(({settings}) => settings);
    section.hidden = found.length === 0;
    const rows = sideBySide(found, "settings", (_, value) => visible(value));
    const others = rows.filter(([, , differs]) => differs);
    same.hidden = found.length < 2 || others.length > 0;
    differing.replaceChildren();
    if (others.length > 0)
      differing.append(
          el("h3", {}, "Differences"),
          tableElement(found, others, visible, "Settings that differ"));
    all.replaceChildren(tableElement(found, rows, visible, "All settings"));
  };
}
