"use strict";
// Arms side by side: a table to sort and filter, curves of chosen arms in one figure, one small figure per arm.

const ROWS = 50, MULTIPLES = 12, CHOSEN = 8;
// Indices into the palette that stand out from both grounds, for curves of arms.
const CURVE_COLOURS = [0, 1, 2, 3, 4, 7, 6, 8];
const POINTS = { up: "▲", down: "▼", unclear: "" };

const score = (key, end) => (arm) => arm.scores[key]?.[end] ?? null;
const change = (key) => (arm) => (known(score(key, "before")(arm)) && known(score(key, "after")(arm)) ? score(key, "after")(arm) - score(key, "before")(arm) : null);
const winnerText = (arm) => {
  const names = Object.entries(arm.winners);
  return names.length === 1 ? names[0][0] : names.map(([name, seeds], i) => (i ? `${name} in ${seeds}` : `${name} in ${seeds} ${seeds === 1 ? "seed" : "seeds"}`)).join(", ");
};

class Comparison {
  constructor(page) {
    Object.assign(this, { page, sort: "", falling: true, words: "", winner: "", rows: ROWS, figures: MULTIPLES, measure: "winner" });
    this.controls = document.getElementById("arms-controls");
    this.table = document.getElementById("arms-table");
    this.overlay = document.getElementById("arms-overlay");
    this.multiples = document.getElementById("arms-multiples");
    this.chosen = new Set(this.arms().slice(0, 4).map((arm) => arm.label));
    for (const tile of document.querySelectorAll("a.tile")) tile.addEventListener("click", () => this.sortBy({ share: "share", accuracy: "accuracy", "pass@k": "pass@k", "maj@k": "pass@k" }[tile.dataset.measure], true));
    this.drawControls();
    this.draw();
  }

  // After a change of the problem set.
  restart() {
    this.cache = null;
    this.drawControls();
    this.draw();
  }

  arms() {
    return this.page.data.arms[this.page.state.set] || [];
  }

  k() {
    return this.arms().find((arm) => arm.k > 1)?.k;
  }

  // Title, what a row is sorted by, and what its cell shows.
  columns() {
    const k = this.k();
    const scores = [["accuracy", "pass@1"], ...(k ? [["pass@k", `pass@${k}`]] : [])];
    return [
      { key: "arm", title: "Arm", value: (arm) => arm.label, cell: (arm) => this.nameCell(arm) },
      { key: "seeds", title: "Seeds", numeric: true, value: (arm) => arm.seeds, cell: (arm) => (arm.seeds === arm.planned ? String(arm.seeds) : `${arm.seeds} of ${arm.planned}`) },
      { key: "winner", title: "Winner", value: (arm) => winnerText(arm) || null, cell: (arm) => this.winnerCell(arm) },
      { key: "share", title: "its share", numeric: true, value: score("share", "after"), cell: (arm) => this.scoreCell(arm, "share", arm.null) },
      { key: "null", title: "null model", numeric: true, value: (arm) => arm.null, cell: (arm) => percent(arm.null) },
      ...scores.flatMap(([key, title]) => [
        { key, title, numeric: true, value: score(key, "after"), cell: (arm) => this.scoreCell(arm, key) },
        { key: `${key}-change`, title: "change", label: `change of ${title}`, numeric: true, value: change(key), cell: (arm) => this.changeCell(arm, key) },
      ]),
    ];
  }

  nameCell(arm) {
    const box = node("input", { type: "checkbox", "aria-label": `Draw ${arm.label} below`, checked: this.chosen.has(arm.label), onchange: (event) => this.choose(arm.label, event.target) });
    return node("span", { class: "arm-name" }, box, node("button", { type: "button", class: "link", title: "Show this arm in the main figure", onclick: () => this.page.openGroup(arm.label) }, arm.label));
  }

  winnerCell(arm) {
    const text = winnerText(arm);
    if (!text) return node("span", { class: "none" }, "not evaluated");
    return node("span", { class: Object.keys(arm.winners).length > 1 ? null : "winner-name" }, Object.keys(arm.winners).map((name) => node("span", { class: "swatch", style: `--c:${this.page.colour(name)}` })), text);
  }

  scoreCell(arm, key, mark = null) {
    const value = score(key, "after")(arm), before = score(key, "before")(arm), bounds = arm.scores[key]?.after_interval;
    if (!known(value)) return "–";
    return node("span", {}, percent(value), this.bar(value, before, bounds, mark), node("small", {}, interval(bounds)), node("small", {}, `from ${percent(before)}`));
  }

  // The value with its interval on a scale from 0 to 1, the base as an open dot, the null model as a dotted tick.
  bar(value, before, bounds, mark) {
    const x = (share) => 3 + 74 * share;
    return node("svg", { class: "range", viewBox: "0 0 80 10", width: 80, height: 10, "aria-hidden": "true" },
      node("line", { class: "grid", x1: 3, x2: 77, y1: 5, y2: 5 }),
      bounds ? node("line", { class: "reach", x1: x(bounds[0]), x2: x(bounds[1]), y1: 5, y2: 5 }) : null,
      known(mark) ? node("line", { class: "null", x1: x(mark), x2: x(mark), y1: 0, y2: 10 }) : null,
      known(before) ? node("circle", { class: "boundary", cx: x(before), cy: 5, r: 2.4 }) : null,
      node("circle", { class: "mark", cx: x(value), cy: 5, r: 3 }));
  }

  changeCell(arm, key) {
    const value = change(key)(arm), direction = arm.scores[key]?.direction;
    if (!known(value)) return "–";
    const points = `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`;
    return node("span", { class: `change-${direction}` }, POINTS[direction] ? `${POINTS[direction]} ${points}` : `${points} unclear`);
  }

  // Arms that match every word and the winner, in the order of the chosen column; unknown values come last.
  found() {
    const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (arm) => words.every((word) => `${arm.label} ${winnerText(arm)}`.toLowerCase().includes(word)) && (!this.winner || this.winner in arm.winners);
    const rows = this.arms().filter(matches);
    const column = this.columns().find((one) => one.key === this.sort);
    if (!column) return rows;
    const order = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    const empty = (value) => value === null || value === undefined;
    return rows.map((arm) => [column.value(arm), arm]).sort(([a], [b]) => (empty(a) || empty(b) ? empty(a) - empty(b) : this.falling ? order(b, a) : order(a, b))).map(([, arm]) => arm);
  }

  // A first click sorts numbers from the largest and words from the first; a second turns the order round.
  sortBy(key, falling = null) {
    const column = this.columns().find((one) => one.key === key);
    if (!column) return;
    this.falling = falling ?? (this.sort === key ? !this.falling : Boolean(column.numeric));
    this.sort = key;
    this.draw();
  }

  choose(label, box) {
    if (box.checked && this.chosen.size >= CHOSEN) {
      box.checked = false;
      this.say(`At most ${CHOSEN} arms are drawn together.`);
      return;
    }
    this.chosen[box.checked ? "add" : "delete"](label);
    this.drawOverlay();
  }

  chooseAll(labels) {
    this.chosen = new Set(labels);
    this.draw();
  }

  say(text) {
    document.getElementById("arms-said").textContent = text;
  }

  drawControls() {
    const names = [...new Set(this.arms().flatMap((arm) => Object.keys(arm.winners)))];
    if (!names.includes(this.winner)) this.winner = "";
    const narrowed = () => ((this.rows = ROWS), (this.figures = MULTIPLES), this.draw());
    this.controls.replaceChildren(
      node("label", {}, "Filter", node("input", { id: "arms-filter", type: "search", value: this.words, placeholder: "words of an arm’s name", oninput: (event) => ((this.words = event.target.value), narrowed()) })),
      node("label", {}, "Winner", node("select", { id: "arms-winner", onchange: (event) => ((this.winner = event.target.value), narrowed()) }, node("option", { value: "" }, "any"), names.map((name) => node("option", { value: name, selected: name === this.winner }, name)))),
      node("span", { id: "arms-count", class: "fine" }),
      node("span", { id: "arms-said", class: "fine", role: "status" }));
  }

  draw() {
    const found = this.found();
    document.getElementById("arms-count").textContent = `${found.length.toLocaleString("en")} of ${this.arms().length.toLocaleString("en")} arms`;
    this.say("");
    this.drawTable(found);
    this.drawOverlay();
    this.drawMultiples(found);
  }

  drawTable(found) {
    const columns = this.columns(), held = this.table.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const head = columns.map(({ key, title, label, numeric }) => {
      const sorted = this.sort === key;
      const mark = node("span", { "aria-hidden": "true" }, sorted ? (this.falling ? " ▼" : " ▲") : "");
      const button = node("button", { type: "button", class: "sort", "data-key": key, "aria-label": label, onclick: () => this.sortBy(key) }, title, mark);
      return node("th", { scope: "col", class: numeric ? "n" : null, "aria-sort": sorted ? (this.falling ? "descending" : "ascending") : "none" }, button);
    });
    const body = found.slice(0, this.rows).map((arm) => node("tr", {}, columns.map(({ numeric, cell }, i) => node(i ? "td" : "th", { scope: i ? null : "row", class: numeric ? "n" : null }, cell(arm)))));
    const more = this.table.nextElementSibling;
    this.table.replaceChildren(node("table", {}, node("thead", {}, node("tr", {}, head)), node("tbody", {}, body)));
    more.replaceChildren(found.length > this.rows ? node("button", { type: "button", class: "toggle", onclick: () => ((this.rows = Infinity), this.drawTable(found)) }, `Show all ${found.length.toLocaleString("en")} arms`) : "");
    if (held) this.table.querySelector(`[data-key="${held}"]`)?.focus();
  }

  // Shares over steps: the mean over the arm's finished seeds, where all have the step.
  curves(label) {
    this.cache ??= new Map();
    if (!this.cache.has(label)) this.cache.set(label, this.meanCurves(this.page.data.runs.filter((run) => run.label === label)));
    return this.cache.get(label);
  }

  meanCurves(members) {
    const done = members.filter((run) => run.complete[this.page.state.set]), runs = done.length ? done : members;
    const places = runs.map((run) => new Map(run.dense.step.map((step, i) => [step, i])));
    const steps = (runs[0]?.dense.step || []).filter((step) => places.every((place) => place.has(step)));
    const mean = (name) => steps.map((step) => {
      const values = runs.map((run, r) => run.dense.share[name]?.[places[r].get(step)]);
      return values.every(known) ? values.reduce((a, b) => a + b, 0) / values.length : null;
    });
    return { steps, shares: Object.fromEntries(this.page.formats.map(({ name }) => [name, mean(name)])) };
  }

  drawMultiples(found) {
    const shown = found.slice(0, this.figures);
    this.multiples.replaceChildren(...shown.map((arm) => this.smallFigure(arm)));
    const rest = found.length - shown.length;
    this.multiples.nextElementSibling.replaceChildren(rest > 0 ? node("button", { type: "button", class: "toggle", onclick: () => ((this.figures += 2 * MULTIPLES), this.drawMultiples(found)) }, `Show ${Math.min(rest, 2 * MULTIPLES)} more of ${rest.toLocaleString("en")}`) : "");
  }

  smallFigure(arm) {
    const { steps, shares } = this.curves(arm.label);
    const caption = node("figcaption", {}, node("button", { type: "button", class: "link", onclick: () => this.page.openGroup(arm.label) }, arm.label), " ", node("b", {}, winnerText(arm) ? `${winnerText(arm)} ${percent(score("share", "after")(arm))}` : "not evaluated"));
    if (!steps.length) return node("figure", {}, caption, node("p", { class: "none" }, "no training log yet"));
    const width = 220, height = 84, x = scaleX(Math.max(...steps), 2, width - 2, this.page.state.log), y = (share) => 4 + 64 * (1 - share);
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `Shares of the formats in ${arm.label}. Arrow keys read values.` });
    let below = steps.map(() => 0);
    for (const { name } of this.page.formats) {
      const above = shares[name].map((share, i) => below[i] + (share ?? 0));
      svg.append(node("path", { class: "area", d: areaPath(steps.map(x), below.map(y), above.map(y)), style: `fill:${this.page.colour(name)}` }));
      below = above;
    }
    svg.append(node("text", { class: "tick", x: 2, y: height - 2 }, "step 0"), node("text", { class: "tick", x: width - 2, y: height - 2, "text-anchor": "end" }, Math.max(...steps)));
    const words = (i) => [[`Step ${steps[i]}`, arm.label], ...this.page.formats.filter(({ name }) => shares[name][i] > 0).map(({ name }) => [{ text: name, colour: this.page.colour(name) }, percent(shares[name][i])])];
    readable(svg, { xs: steps.map(x), top: 4, bottom: 68, words });
    return node("figure", {}, caption, svg);
  }
}
