"use strict";
// Small tools for drawing: elements without innerHTML, scales, axes, one generic line chart.
const SVG = "http://www.w3.org/2000/svg";
// Sizes of figures on a sheet of A4 with its margins, in pixels: under half a sheet, so that no sheet stays half empty.
const PAPER = { width: 660, panels: [130, 95, 95], chart: 220 };

function node(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "title"].includes(name);
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  // Strings become text nodes: what a model wrote is never parsed as markup.
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

const known = (value) => typeof value === "number" && Number.isFinite(value);

// Digits as Python writes them in the tables: a tie goes to the even digit, where `toFixed` takes the larger one.
function fixed(value, digits) {
  if (digits === 0 && value % 1 === 0.5) return String(2 * Math.round(value / 2));
  if (digits === 1 && value % 1 === 0.25) return (Math.floor(10 * value) / 10).toFixed(1);
  return value.toFixed(digits);
}

function percent(value) {
  if (!known(value)) return "–";
  const scaled = 100 * value;
  if (scaled >= 99.95 && scaled < 100) return ">99.9%";
  if (scaled > 0 && scaled < 0.05) return "<0.1%";
  const digits = (scaled > 0 && scaled < 1) || (scaled > 99 && scaled < 100) ? 1 : 0;
  return fixed(scaled, digits) + "%";
}

function short(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return +(value / 1e6).toFixed(1) + "M";
  if (size >= 1e4) return +(value / 1e3).toFixed(0) + "k";
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return size >= 0.01 || size === 0 ? String(+value.toFixed(size >= 10 ? 1 : 3)) : value.toExponential(0);
}

// Four significant digits, for a value that is read off a chart.
function precise(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : String(+value.toPrecision(4));
}

// The same text as `number_text.bounds` writes in the tables.
function interval(bounds) {
  if (!bounds) return "no interval";
  const [low, high] = bounds;
  let texts = bounds.map((bound) => percent(Math.round(1e4 * bound) / 1e4));
  if (texts[0] === texts[1] && high - low > 5e-4) texts = bounds.map((bound) => `${fixed(100 * bound, 1)}%`);
  if (texts[0] === "100%" && texts[1] === "100%") texts[0] = ">99.9%";
  if (texts[0] === "0%" && texts[1] === "0%") texts[1] = "<0.1%";
  return `${texts[0].replace("%", "")}–${texts[1]}`;
}

// Logarithmic steps use log(1 + step), so that the base at step 0 has a place.
function scaleX(last, left, right, logarithmic) {
  const warp = (step) => (logarithmic ? Math.log1p(step) : step);
  const scale = (step) => left + ((right - left) * warp(step)) / (warp(last) || 1);
  return scale;
}

function stepTicks(last, logarithmic, room) {
  if (logarithmic) {
    const ticks = [0];
    for (let step = 1; step <= last; step *= 2) ticks.push(step);
    while (ticks.length > Math.max(room, 3)) for (let i = ticks.length - 2; i > 0; i -= 2) ticks.splice(i, 1);
    return ticks;
  }
  const size = niceStep(last / Math.max(room - 1, 1));
  return Array.from({ length: Math.floor(last / size) + 1 }, (_, i) => i * size);
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-12)));
  return [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough * 0.999);
}

// A path through known points; a gap where a value is missing.
function linePath(points) {
  let path = "", open = false;
  for (const [x, y] of points) {
    if (!known(y)) open = false;
    else {
      path += `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      open = true;
    }
  }
  return path;
}

function areaPath(xs, lows, highs) {
  const up = xs.map((x, i) => `${i ? "L" : "M"}${x.toFixed(1)} ${highs[i].toFixed(1)}`);
  const down = xs.map((x, i) => `L${x.toFixed(1)} ${lows[i].toFixed(1)}`).reverse();
  return up.join("") + down.join("") + "Z";
}

// Values of a drawn chart by pointer and by arrow keys: a rule at the nearest place, a tooltip, and words read out.
// `xs`: places in the drawing's own units, ascending; `words(i)`: lines of the tooltip there.
function readable(svg, { xs, top, bottom, words }) {
  const rule = node("line", { class: "cursor", x1: -9, x2: -9, y1: top, y2: bottom });
  let current = -1;
  const scale = () => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width || 1;
  const hide = () => {
    current = -1;
    for (const end of ["x1", "x2"]) rule.setAttribute(end, -9);
    window.page.tip.hide();
  };
  const show = (i, at) => {
    current = i;
    for (const end of ["x1", "x2"]) rule.setAttribute(end, xs[i]);
    const box = svg.getBoundingClientRect(), lines = words(i);
    window.page.tip.show(lines, at || [box.left + xs[i] * scale(), box.top + top]);
    document.getElementById("readout").textContent = lines.map((line) => line.map((part) => part.text || part).join(" ")).join("; ");
  };
  const nearest = (x) => xs.reduce((best, place, i) => (Math.abs(place - x) < Math.abs(xs[best] - x) ? i : best), 0);
  svg.append(rule);
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("pointermove", (event) => show(nearest((event.clientX - svg.getBoundingClientRect().left) / scale()), [event.clientX, event.clientY]));
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") hide();
    if (!by) return;
    show(current < 0 ? (by > 0 ? 0 : xs.length - 1) : Math.min(Math.max(current + by, 0), xs.length - 1), null);
    event.preventDefault();
  });
}

function lineChart(host, { title, series, xLabel }) {
  const points = series.flatMap((s) => s.points).filter(([, y]) => known(y));
  if (!points.length) return;
  const width = window.page?.printing ? PAPER.chart : Math.max(Math.min(host.clientWidth, 420), 220), height = 150, left = 42, right = width - 10, top = 10, bottom = 120;
  const xMax = Math.max(...points.map((p) => p[0])) || 1;
  let low = Math.min(0, ...points.map((p) => p[1])), high = Math.max(...points.map((p) => p[1]));
  const size = niceStep((high - low || 1) / 3);
  low = Math.floor(low / size) * size;
  high = Math.ceil((high || size) / size) * size;
  const x = (value) => left + ((right - left) * value) / xMax;
  const y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${title}. Arrow keys read values.` });
  for (let tick = low; tick <= high + size / 2; tick += size) {
    svg.append(node("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
    svg.append(node("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(Math.abs(tick) < size / 1e6 ? 0 : tick)));
  }
  for (const value of [0, Math.round(xMax / 2), xMax])
    svg.append(node("text", { class: "tick", x: x(value), y: bottom + 16, "text-anchor": value === xMax ? "end" : value ? "middle" : "start" }, short(value)));
  svg.append(node("text", { class: "tick", x: (left + right) / 2, y: height - 1, "text-anchor": "middle" }, xLabel));
  for (const s of series) svg.append(node("path", { class: "line thin", d: linePath(s.points.map(([a, b]) => [x(a), known(b) ? y(b) : NaN])), style: `stroke:${s.colour}` }));
  const xs = [...new Set(points.map(([place]) => place))].sort((a, b) => a - b);
  const at = series.map((s) => new Map(s.points));
  const words = (i) => [[`${xLabel} ${xs[i].toLocaleString("en")}`, title], ...series.flatMap((s, n) => (known(at[n].get(xs[i])) ? [[{ text: s.label || "value", colour: s.colour }, precise(at[n].get(xs[i]))]] : []))];
  readable(svg, { xs: xs.map(x), top, bottom, words });
  const latest = points[points.length - 1];
  host.append(node("figure", {}, node("figcaption", {}, title, node("b", {}, ` ${short(latest[1])}`)), svg));
}
