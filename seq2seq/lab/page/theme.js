"use strict";
// Colours, the scale of numbers and its legend. Blue is above zero, red (on a dark page orange)
// below it: told apart with any colour vision.

const kThemes = {
  light: {
    name: "light", paper: "#ffffff", ink: "#1c1d21", muted: "#585e6b", line: "#d9dce2",
    series: ["#1f5fa8", "#b0480f", "#0f766e", "#7a3f98"],
    positive: ["#f4f5fa", "#d0dbf1", "#8fb0de", "#4c7dbe", "#244a92", "#111f52"],
    negative: ["#f4f5fa", "#fadbc7", "#f3a683", "#d6604d", "#b2182b", "#67001f"],
  },
  dark: {
    name: "dark", paper: "#17191e", ink: "#e9e9ec", muted: "#a6acb9", line: "#3a3f4a",
    series: ["#8ab8f0", "#f0a36b", "#5fc9bb", "#cf9fe8"],
    positive: ["#22252c", "#233a5e", "#2f5f9e", "#5a94d6", "#9cc6f2", "#e2f0ff"],
    negative: ["#22252c", "#4f2f1c", "#8a4a1c", "#cc7a33", "#f0b071", "#ffe9cf"],
  },
};

const darkQuery = window.matchMedia("(prefers-color-scheme: dark)");
const screenTheme = () => (darkQuery.matches ? kThemes.dark : kThemes.light);

// From numbers to colours, linear, from `least` to `most`; with numbers below zero, even about zero.
function colourScale(values, theme, signed) {
  const known = finite(values);
  const most = d3.max(known, Math.abs) || 1;
  const positive = d3.piecewise(d3.interpolateLab, theme.positive);
  const negative = d3.piecewise(d3.interpolateLab, theme.negative);
  const isSigned = signed || known.some((v) => v < 0);
  const colour = (value) => (value < 0 ? negative(Math.min(1, -value / most)) : positive(Math.min(1, value / most)));
  return {most, isSigned, colour, least: isSigned ? -most : 0};
}

// The ink that can be read on a colour.
function inkOn(colour) {
  const channel = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const {r, g, b} = d3.rgb(colour);
  const luminance = 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  return luminance > 0.179 ? "#000000" : "#ffffff";
}

// A bar of the scale's colours with its ends, 34 px high, at (x, y) of `svg`.
function drawLegend(svg, {x, y, width, scale, title, theme}) {
  const legend = svg.append("g").attr("transform", `translate(${x},${y})`).attr("role", "img")
    .attr("aria-label", `Colours: from ${format(scale.least)} to ${format(scale.most)}`);
  const steps = 48, at = d3.scaleLinear([0, steps - 1], [scale.least, scale.most]);
  const bar = Math.min(width, 220);
  legend.selectAll("rect").data(range(steps)).join("rect")
    .attr("x", (i) => d3.format(".2f")((i * bar) / steps)).attr("width", d3.format(".2f")(bar / steps + 0.3))
    .attr("height", 9).attr("fill", (i) => d3.color(scale.colour(at(i))).formatHex());
  legend.append("rect").attr("width", bar).attr("height", 9).attr("fill", "none").attr("stroke", theme.line);
  const ticks = scale.isSigned ? [scale.least, 0, scale.most] : [0, scale.most];
  const place = d3.scaleLinear([scale.least, scale.most], [0, bar]);
  legend.selectAll("text").data(ticks).join("text").attr("x", place).attr("y", 21)
    .attr("text-anchor", (t) => (t === scale.least ? "start" : t === scale.most ? "end" : "middle"))
    .attr("fill", theme.ink).text(format);
  legend.append("text").attr("x", 0).attr("y", 35).attr("fill", theme.muted).text(fit(title, width));
}
