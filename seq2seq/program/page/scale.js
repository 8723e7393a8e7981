"use strict";
// Scales of charts: from numbers to pixels, their ticks, and numbers as text.

// [least, most] of numbers; on a logarithmic scale, of those above 0.
function extent(values, log) {
  let least = Infinity, most = -Infinity;
  for (const value of values) {
    if (!isNumber(value) || (log && value <= 0)) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return least <= most ? [least, most] : null;
}

// The same with room around it.
function roomy([least, most], log) {
  if (log) return least === most ? [least / 2, most * 2] : [least / 1.08, most * 1.08];
  const room = (most - least) * 0.06 || Math.abs(most) * 0.05 || 1;
  return [least >= 0 ? Math.max(0, least - room) : least - room, most + room];
}

function linearTicks([least, most], count) {
  const rough = (most - least) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const first = Math.ceil(least / step), digits = Math.max(0, -Math.floor(Math.log10(step)));
  if (!Number.isFinite(step) || !Number.isFinite(first)) return [];
  return range(Math.min(20, Math.floor(most / step) - first + 1)).map((i) => {
    const value = (first + i) * step;
    const plain = Math.abs(value) < 1e6 && digits < 5;
    return {value, text: plain ? grouped(value.toFixed(digits)) : format(value)};
  });
}

function logTicks([least, most], count) {
  const from = Math.floor(Math.log10(least)), to = Math.ceil(Math.log10(most));
  const factors = to - from <= 2 ? [1, 2, 5] : [1], every = Math.ceil((to - from + 1) / count);
  return range(to - from + 1)
      .filter((i) => i % every === 0)
      .flatMap((i) => factors.map((factor) => factor * 10 ** (from + i)))
      .filter((value) => value >= least && value <= most)
      .map((value) => ({value, text: format(value)}));
}

// From a domain to pixels.
function scaleOf(domain, [from, to], log, count) {
  const [a, b] = log ? domain.map(Math.log) : domain;
  const at = (value) => from + (((log ? Math.log(value) : value) - a) / (b - a)) * (to - from);
  at.back = (pixel) => {
    const value = a + ((pixel - from) / (to - from)) * (b - a);
    return log ? Math.exp(value) : value;
  };
  at.ticks = (log ? logTicks : linearTicks)(domain, count);
  return at;
}

// 12345 -> 12,345
function grouped(value) {
  const [whole, rest] = String(value).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ",").replace("-", "−");
  return rest === undefined ? text : `${text}.${rest}`;
}

// Three significant digits, but of whole numbers all.
function shortNumber(value) {
  const size = Math.abs(value);
  if (size < 1000 || size >= 1e6) return format(value);
  return grouped(Number.isInteger(value) ? value : Number(value.toPrecision(3)));
}

// The unit in which times up to `most` seconds are shown.
function timeUnit(most) {
  if (most < 180) return {seconds: 1, name: "seconds"};
  return most < 3 * 3600 ? {seconds: 60, name: "minutes"} : {seconds: 3600, name: "hours"};
}

function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds < 60) return `${format(seconds < 10 ? seconds : Math.round(seconds))} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  if (hours > 0) return `${grouped(hours)} h ${minutes % 60} min`;
  return `${minutes} min ${Math.floor(seconds % 60)} s`;
}
