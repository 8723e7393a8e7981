"use strict";
// Figures: pictures that draw themselves for a width and a theme, on the page as in the file that
// "Save SVG" writes. Texts only ever become text nodes.

const kFont = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', " +
    "Arial, sans-serif";
const kFontSize = 12;
const kFileWidth =
    420;             // of a saved picture: its letters are those of a caption in a paper's column
const kMargin = 10;  // around it

const tokenElement = (token) => el("bdi", {class: "token"}, printable(token));

const ruler = document.createElement("canvas").getContext("2d");
function textWidth(text, fontSize = kFontSize) {
  ruler.font = `${fontSize}px ${kFont}`;
  return ruler.measureText(text).width;
}

const letters = (text) =>
    ("Segmenter" in Intl ? Array.from(new Intl.Segmenter().segment(text), (s) => s.segment) :
                           Array.from(text));

// As much of `text` as fits in `width` pixels, and "…" where some of it does not.
function fit(text, width, fontSize = kFontSize) {
  if (textWidth(text, fontSize) <= width) return text;
  const all = letters(text.slice(0, 400));
  const shown = d3.bisector((n) => textWidth(all.slice(0, n).join("") + "…", fontSize))
                    .right(range(all.length), width);
  return all.slice(0, Math.max(0, shown - 1)).join("") + "…";
}

// An empty picture as a selection.
function picture(width, height, theme, label) {
  return d3.create("svg:svg")
      .attr("xmlns", "http://www.w3.org/2000/svg")
      .attr("width", width)
      .attr("height", height)
      .attr("viewBox", `0 0 ${width} ${height}`)
      .attr("role", "img")
      .attr("aria-label", label)
      .attr("font-family", kFont)
      .attr("font-size", kFontSize)
      .attr("fill", theme.ink);
}

const cssName = (name) => name.replace(/[^\w-]+/g, "-");

// Tokens of pictures are kept whole: spaces in a row stand as they are.
function appendToken(parent, token, width, theme) {
  const text = printable(token);
  return parent.append("text")
      .attr("fill", theme.ink)
      .attr("xml:space", "preserve")
      .text(fit(text, width));
}

// Puts pictures side by side, `columns` of them in a row.
function arrange(pictures, columns, gap, theme, label) {
  const width = (svg) => Number(svg.getAttribute("width")),
        height = (svg) => Number(svg.getAttribute("height"));
  const cell = d3.max(pictures, width);
  const rows = d3.groups(pictures, (_, i) => Math.floor(i / columns)).map(([, row]) => row);
  const total = d3.sum(rows, (row) => d3.max(row, height)) + gap * (rows.length - 1);
  const all = picture(Math.min(columns, pictures.length) * (cell + gap) - gap, total, theme, label);
  let y = 0;
  for (const row of rows) {
    row.forEach((svg, i) => {
      d3.select(svg).attr("x", i * (cell + gap)).attr("y", y);
      if (!svg.hasAttribute("tabindex")) svg.setAttribute("role", "group");
      all.node().append(svg);
    });
    y += d3.max(row, height) + gap;
  }
  return all.node();
}

// A picture that stands for itself: no styles from around it, a background, a title.
function standalone(svg, theme, title) {
  const copy = svg.cloneNode(true);
  for (const style of copy.querySelectorAll("style")) style.remove();
  for (const element of [copy, ...copy.querySelectorAll("*")]) {
    for (const name of ["tabindex", "class", "aria-hidden", "aria-selected", "style"])
      element.removeAttribute(name);
    for (const name of ["fill", "stroke"])
      if (/currentColor|^var\(/.test(element.getAttribute(name)))
        element.setAttribute(
            name, element.getAttribute(name) === "currentColor" ? theme.ink : theme.paper);
  }
  const make = (name) => document.createElementNS("http://www.w3.org/2000/svg", name);
  const titled = make("title"), ground = make("rect");
  titled.textContent = title;
  const [width, height] =
      ["width", "height"].map((name) => Number(copy.getAttribute(name)) + 2 * kMargin);
  const set = (element, attributes) =>
      Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  set(copy, {width, height, viewBox: `${- kMargin} ${- kMargin} ${width} ${height}`});
  set(ground, {x: -kMargin, y: -kMargin, width, height, fill: theme.paper});
  copy.prepend(titled, ground);
  return new XMLSerializer().serializeToString(copy);
}

function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], {type: "image/svg+xml"}));
  el("a", {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const allFigures = [];

// A figure named `name`, which goes into the file's name, in `host`. draw({width, theme, still})
// gives the picture, or null where there is nothing to show; `still` ones are for a file. `title`
// is a text or a function that gives one.
function addFigure(host, name, title, draw) {
  const titleText = () => (typeof title === "function" ? title() : title);
  const canvas = el("div", {class: "canvas"});
  const button =
      el("button", {
        type: "button",
        class: "save",
        "aria-label": `Save SVG: ${spelled(name)}`,
        click: () => {
          const svg = draw({width: kFileWidth, theme: kThemes.light, still: true});
          if (svg) save(standalone(svg, kThemes.light, titleText()), `weft-${cssName(name)}.svg`);
        }
      },
         "Save SVG");
  const element =
      el("figure", {id: `figure-${name}`}, canvas,
         el("div", {class: "under"}, el("figcaption"), button));
  host.append(element);
  const figure = {
    canvas,
    drawnWidth: 0,
    redraw() {
      element.hidden = false;
      const width = Math.floor(canvas.clientWidth);
      if (width === 0) return;
      figure.drawnWidth = width;
      const key =
          canvas.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
      const svg = draw({width, theme: screenTheme(), still: false});
      canvas.replaceChildren(...(svg ? [svg] : []));
      element.hidden = !svg;
      element.querySelector("figcaption").textContent = svg ? titleText() : "";
      if (key !== undefined)
        [...canvas.querySelectorAll("[data-key]")].find((e) => e.dataset.key === key)?.focus();
    }
  };
  new ResizeObserver(() => Math.floor(canvas.clientWidth) !== figure.drawnWidth && figure.redraw())
      .observe(canvas);
  allFigures.push(figure);
  return figure;
}

darkQuery.addEventListener("change", () => allFigures.forEach((figure) => figure.redraw()));

// A section with its heading, named in the contents.
function addSection(id, heading, words) {
  const section =
      el("section", {id, "aria-labelledby": `${id}-heading`},
         el("h2", {id: `${id}-heading`}, heading), words ? el("p", {class: "lead"}, words) : null);
  document.getElementById("main").append(section);
  document.getElementById("contents").append(el("li", {}, el("a", {href: `#${id}`}, heading)));
  return section;
}
