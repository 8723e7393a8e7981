"use strict";
// Agreement with gold links and faithfulness: tables that can be sorted, and a chart of each.

// A table of `rows`. Columns: {key, label, text(row), number, better: 1 (more) or -1 (less)}.
// isBest(row) marks a row; the best of each column with `better` is marked as well.
function sortedTable(caption, columns, rows, isBest, sort) {
  const body = el("tbody"), heads = new Map();
  const order = {...sort};
  const compare = (a, b) => {
    const [x, y] = [a[order.key], b[order.key]];
    if (!isNumber(x) && typeof x !== "string") return 1;  // what is missing is last, either way
    if (!isNumber(y) && typeof y !== "string") return -1;
    return order.direction * d3.ascending(x, y);
  };
  const best = new Map(
      columns.filter((c) => c.better)
          .map((c) => [c.key, (c.better > 0 ? d3.max : d3.min)(rows, (row) => row[c.key])]));
  const cell = (row, c) => {
    const isTop = c.better && isNumber(row[c.key]) && row[c.key] === best.get(c.key);
    return el(
        c.key === "measure" ? "th" : "td",
        {class: c.number ? "number" : null, scope: c.key === "measure" ? "row" : null},
        isTop ? el("strong", {title: "best of the column"}, c.text(row)) : c.text(row),
        c.key === "measure" && isBest(row) ? el("span", {class: "best"}, "best") : null);
  };
  const fill = () => {
    for (const [key, th] of heads)
      th.setAttribute(
          "aria-sort",
          key !== order.key       ? "none" :
              order.direction > 0 ? "ascending" :
                                    "descending");
    body.replaceChildren(...[...rows].sort(compare).map(
        (row) =>
            el("tr", {class: isBest(row) ? "is-best" : null}, columns.map((c) => cell(row, c)))));
  };
  for (const c of columns) {
    heads.set(
        c.key,
        el("th", {scope: "col", class: c.number ? "number" : null},
           el("button", {
             type: "button",
             click: () => {
               order.direction = order.key === c.key ? -order.direction : c.better > 0 ? -1 : 1;
               order.key = c.key;
               fill();
             }
           },
              c.label)));
  }
  fill();
  return el(
      "div", {class: "scroll", tabindex: 0, role: "region", "aria-label": caption},
      el("table", {class: "sorted"}, el("caption", {}, caption),
         el("thead", {}, el("tr", {}, [...heads.values()])), body));
}

const layerText = (row) => (isNumber(row.layer) ? String(row.layer) : "all");
const headText = (row) => (isNumber(row.head) ? String(row.head) : "mean");
const numberColumn = (key, label, better) =>
    ({key, label, better, number: true, text: (row) => format(row[key])});
const measureColumn = {
  key: "measure",
  label: "Measure",
  text: (row) => labelOf(row.measure)
};
const layerColumn = {
  key: "layer",
  label: "Layer",
  number: true,
  text: layerText
};
const kOffsets = {
  output: "produces",
  input: "reads"
};

// Of each measure, the row with the lowest error rate.
const bestRows = (rows, key) => d3.rollups(
                                      rows.filter((r) => isNumber(r[key])),
                                      (list) => d3.least(list, (r) => r[key]), (r) => r.measure)
                                    .map(([, row]) => row);

// A row of dots for each measure. `shape` tells apart two kinds of them; `marked` ones have a ring
// and their number.
function dotChart({rows, key, title, kinds, kindOf, marked, width, theme, better}) {
  const known = rows.filter((r) => isNumber(r[key])), measures = unique(rows.map((r) => r.measure));
  const marginLeft = Math.min(width * 0.4, d3.max(measures, (m) => textWidth(labelOf(m), 11)) + 12);
  const svg = chart(
      {
        width,
        height: measures.length * 30 + (kinds.length > 1 ? 76 : 52),
        marginLeft,
        marginRight: 20,
        marginTop: kinds.length > 1 ? 34 : 10,
        marginBottom: 38,
        x: {
          label: better,
          labelAnchor: "center",
          labelArrow: "none",
          grid: true,
          nice: true,
          insetLeft: 16,
          insetRight: 10,
          ticks: Math.max(2, width / 100),
          tickFormat: format
        },
        y: {
          domain: measures,
          tickFormat: (m) => fit(labelOf(m), marginLeft - 8, 11),
          label: null,
          tickSize: 0
        },
        color: {domain: kinds, range: theme.series},
        symbol: {domain: kinds, range: ["circle", "square"]},
        marks: [
          Plot.dot(known, {
            x: key,
            y: "measure",
            stroke: kindOf,
            symbol: kindOf,
            r: 3.2,
            strokeWidth: 1.4,
            strokeOpacity: 0.75
          }),
          Plot.dot(marked, {
            x: key,
            y: "measure",
            fill: kindOf,
            symbol: kindOf,
            r: 5,
            stroke: theme.ink,
            strokeWidth: 1.4
          }),
          Plot.text(
              marked,
              {x: key, y: "measure", text: (r) => format(r[key]), dy: -12, fontWeight: 600}),
          ...(kinds.length > 1 ? keyMarks(kinds, theme, 8 - marginLeft) : []),
        ],
      },
      theme, title);
  return titled(svg, title, theme);
}

const offsetKinds = Object.values(kOffsets).map((word) => `row ${word} the word`);

function addAgreement(section) {
  const rows = report.agreement, best = bestRows(rows, "aer"), isBest = (row) => best.includes(row);
  section.append(
      el("h3", {}, "Agreement with gold links"),
      el("p", {class: "lead"},
         "Each token’s strongest link against the links that are known to be right: an error " +
             "rate (AER) of 0 is perfect. The best of each measure is marked."));
  addFigure(
      section, "agreement",
      "Alignment error rate of every layer and head; the best of each measure is filled",
      ({width, theme}) => dotChart({
        rows,
        key: "aer",
        title: "Alignment error rate",
        kinds: offsetKinds,
        kindOf: (r) => `row ${kOffsets[r.offset]} the word`,
        marked: best,
        width: Math.min(width, 680),
        theme,
        better: "← less is better"
      }));
  const columns = [
    measureColumn, layerColumn, {key: "head", label: "Head", number: true, text: headText},
    {key: "offset", label: "Row … the word", text: (row) => kOffsets[row.offset] ?? row.offset},
    numberColumn("aer", "AER", -1), numberColumn("precision", "Precision", 1),
    numberColumn("recall", "Recall", 1)
  ];
  const holder = el("div");
  const box = el("input", {type: "checkbox", id: "only-best", checked: true, change: () => fill()});
  const fill = () => holder.replaceChildren(sortedTable(
      "Agreement with gold links", columns, box.checked ? best : rows,
      box.checked ? () => false : isBest, {key: "aer", direction: 1}));
  section.append(
      el("label", {class: "check"}, box,
         ` Only the best of each measure (${best.length} of ${rows.length} rows)`),
      el("p", {class: "how"}, "A column’s heading sorts by it; again, the other way round."),
      holder);
  fill();
}

const kFaithful = {
  comprehensiveness: ["Comprehensiveness", 1],
  sufficiency: ["Sufficiency", -1],
  soft_comprehensiveness: ["Soft comprehensiveness", 1],
  soft_sufficiency: ["Soft sufficiency", -1],
  aopc: ["AOPC", 1],
  naopc: ["Normalized AOPC", 1],
  shapley_correlation: ["Correlation with Shapley", 1],
};

function addFaithfulness(section) {
  const rows = report.faithfulness;
  const keys = Object.keys(kFaithful).filter((key) => rows.some((row) => isNumber(row[key])));
  section.append(
      el("h3", {}, "Faithfulness"),
      el("p", {class: "lead"},
         "Whether the tokens that a measure ranks first are those that the " +
             "score rests on. The best of each number is in bold."));
  addFigure(
      section, "faithfulness",
      "Faithfulness of every measure, a dot for each layer; the best of each measure is filled",
      ({width, theme}) =>
          chartsInRows(width, 330, theme, "Faithfulness", keys.map((key) => (each) => {
            const [title, better] = kFaithful[key];
            const best =
                d3.rollups(
                      rows.filter((r) => isNumber(r[key])),
                      (list) => d3.greatest(list, (r) => better * r[key]), (r) => r.measure)
                    .map(([, r]) => r);
            return dotChart({
              rows,
              key,
              title,
              kinds: ["all"],
              kindOf: () => "all",
              marked: best,
              width: each,
              theme,
              better: better > 0 ? "more is better →" : "← less is better"
            });
          })));
  const columns =
      [measureColumn, layerColumn, ...keys.map((key) => numberColumn(key, ...kFaithful[key]))];
  section.append(sortedTable(
      "Faithfulness", columns, rows, () => false,
      {key: keys[0], direction: kFaithful[keys[0]][1] > 0 ? -1 : 1}));
}

function addTablesView() {
  if (report.agreement.length === 0 && report.faithfulness.length === 0) return;
  const section = addSection("scores", "How good the measures are");
  if (report.agreement.length)
    addAgreement(section);
  else
    section.append(el(
        "p", {class: "quiet"}, "There are no gold links, so agreement with them cannot be told."));
  if (report.faithfulness.length)
    addFaithfulness(section);
  else
    section.append(
        el("p", {class: "quiet"},
           "Faithfulness was not measured: it needs sentences of 2 to 8 source tokens."));
}
