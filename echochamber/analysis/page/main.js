"use strict";
// The state of the page: selection, theme, legend, and clicks that lead to completions.

// The shipped formats have the first colours of report.css; own formats share the rest in order of registration.
// Of these every second one is lighter, and their lines have dashes, so that grey prints tell neighbours apart.
const OTHER = 5, SHIPPED = 6, COLOURS = 12;
const OWN_DASHES = ["7 2 2 2", "2 2", "", "7 3"];

class Tip {
  constructor(element) {
    this.element = element;
  }

  show(lines, [x, y]) {
    const rows = lines.map((parts, i) => node("div", { class: i ? "tip-row" : "tip-head" }, ...parts.map((part) => (part.text ? node("span", { class: "key", style: `--c:${part.colour}` }, part.text) : node("span", {}, part)))));
    this.element.replaceChildren(...rows);
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = x + 18 + width > innerWidth ? x - width - 18 : x + 18;
    this.element.style.left = `${Math.max(6, Math.min(left, innerWidth - width - 6))}px`;
    this.element.style.top = `${Math.max(6, Math.min(y + 14, innerHeight - height - 6))}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}

class Page {
  constructor(data) {
    this.data = data;
    this.formats = data.formats;
    this.groups = [...new Set(data.runs.map((run) => run.label))];
    this.state = { group: this.groups[0], seeds: null, run: 0, set: 0, log: true, null: true, formats: new Set(data.formats.map((f) => f.name)) };
    this.tip = new Tip(document.getElementById("tip"));
    this.paintSwatches();
    this.browser = new Browser(document.getElementById("browser"), document.getElementById("browser-controls"), this);
    this.central = new Central(document.getElementById("central"), this);
    this.wire();
    this.selectGroup(this.groups[0]);
    if (document.getElementById("arms")) this.comparison = new Comparison(this);
  }

  colour(name) {
    const index = this.data.colors[name] ?? OTHER;
    return `var(--format-${index < COLOURS ? index : SHIPPED + ((index - SHIPPED) % (COLOURS - SHIPPED))})`;
  }

  dash(name) {
    const own = (this.data.colors[name] ?? OTHER) - SHIPPED;
    return own < 0 ? "" : OWN_DASHES[own % OWN_DASHES.length];
  }

  set() {
    return this.data.sets[this.state.set] || ["", ""];
  }

  groupRuns() {
    return this.data.runs.filter((run) => run.label === this.state.group);
  }

  // "Mean of all" is over the seeds that have both ends, as in the tables; where none has, over all that started.
  selectedRuns() {
    const runs = this.groupRuns();
    if (this.state.seeds !== null) return runs.filter((run) => this.state.seeds.has(run.seed));
    const done = runs.filter((run) => run.complete[this.state.set]), begun = runs.filter((run) => run.dense.step.length || run.checkpoints.length);
    return done.length ? done : begun.length ? begun : runs;
  }

  selectGroup(label, seed = null) {
    this.state.group = label;
    this.state.seeds = seed === null ? null : new Set([seed]);
    this.update();
  }

  // An arm in the main figure, which is scrolled to.
  openGroup(label) {
    this.selectGroup(label);
    document.getElementById("dynamics").scrollIntoView();
  }

  // Another problem set: every part of the page is of it.
  selectSet(index) {
    this.state.set = index;
    this.update();
    this.comparison?.restart();
  }

  update(wanted = {}) {
    const first = this.selectedRuns()[0];
    this.state.run = Math.max(this.data.runs.indexOf(first), 0);
    this.drawControls();
    this.central.draw();
    this.browser.reset(wanted);
    this.drawSmall();
  }

  chip(text, pressed, onclick, colour) {
    return node("button", { type: "button", class: "toggle", "aria-pressed": String(pressed), onclick, style: colour ? `--c:${colour}` : null }, colour ? node("i", { "aria-hidden": "true" }) : null, text);
  }

  drawControls() {
    const host = document.getElementById("central-controls");
    const held = host.contains(document.activeElement) ? document.activeElement.textContent : null;
    const parts = [];
    if (this.groups.length > 1) parts.push(node("label", {}, "Arm", node("select", { onchange: (e) => this.selectGroup(e.target.value) }, this.groups.map((g) => node("option", { value: g, selected: g === this.state.group }, g)))));
    if (this.data.sets.length > 1) parts.push(node("label", {}, "Problems", node("select", { onchange: (e) => this.selectSet(Number(e.target.value)) }, this.data.sets.map(([name, split], i) => node("option", { value: i, selected: i === this.state.set }, split ? `${name} (${split})` : name)))));
    const seeds = this.groupRuns().map((run) => run.seed);
    if (seeds.length > 1) {
      parts.push(node("div", { class: "chips", role: "group", "aria-label": "Seeds" }, node("span", {}, "Seeds"),
        this.chip(this.groupRuns().every((run) => run.complete[this.state.set]) ? "mean of all" : "mean of finished seeds", this.state.seeds === null, () => ((this.state.seeds = null), this.update())),
        seeds.map((seed) => this.chip(`seed ${seed}`, this.state.seeds !== null && this.state.seeds.has(seed), () => ((this.state.seeds = new Set([seed])), this.update())))));
    }
    parts.push(node("div", { class: "chips", role: "group", "aria-label": "Formats" }, node("span", {}, "Formats"),
      this.formats.map(({ name, title }) => this.chip(title ? `${name}: ${title}` : name, this.state.formats.has(name), () => this.toggleFormat(name), this.colour(name)))));
    parts.push(node("div", { class: "chips", role: "group", "aria-label": "Step axis" }, node("span", {}, "Steps"),
      this.chip("log", this.state.log, () => this.setLog(true)), this.chip("linear", !this.state.log, () => this.setLog(false))));
    if (this.groupRuns().some((run) => run.null)) parts.push(node("div", { class: "chips" }, this.chip("null model", this.state.null, () => ((this.state.null = !this.state.null), this.drawControls(), this.central.draw()))));
    const ks = this.central.ks();
    if (ks.length > 1) parts.push(node("label", {}, "k", node("select", { "aria-label": "k of pass@k and maj@k", onchange: (e) => ((this.state.k = Number(e.target.value)), this.central.draw()) }, ks.map((k) => node("option", { value: k, selected: String(k) === this.central.k() }, k)))));
    host.replaceChildren(...parts);
    if (held) [...host.querySelectorAll("button, select")].find((e) => e.textContent === held)?.focus();
  }

  toggleFormat(name) {
    const shown = this.state.formats;
    shown.has(name) ? shown.delete(name) : shown.add(name);
    if (!shown.size) this.formats.forEach((f) => shown.add(f.name));
    this.drawControls();
    this.central.draw();
  }

  setLog(value) {
    this.state.log = value;
    this.drawControls();
    this.central.draw();
    this.comparison?.draw();
  }

  drawSmall() {
    const host = document.getElementById("small-charts");
    host.replaceChildren();
    const runs = this.selectedRuns(), colour = "var(--accent)";
    const cell = () => host.appendChild(node("div", {}));
    const draw = (title, series, xLabel) => {
      const place = cell();
      lineChart(place, { title, series, xLabel });
      if (!place.childNodes.length) place.remove();
    };
    draw("Pretraining loss (nats per token)", runs.map((run) => ({ colour, label: `seed ${run.seed}`, points: run.pretraining.tokens.map((t, i) => [t, run.pretraining.loss[i]]) })), "tokens");
    for (const [name, title] of Object.entries(this.data.diagnostics))
      draw(title, runs.map((run) => ({ colour, label: `seed ${run.seed}`, points: run.dense.step.map((s, i) => [s, run.dense.metrics[name]?.[i] ?? null]) })), "RL step");
    if (!host.childNodes.length) host.append(node("p", { class: "none" }, "No training log yet."));
  }

  openRow({ run, step, format, set, change }) {
    const found = this.data.runs.find((one) => one.id === run);
    const place = this.data.sets.findIndex(([name]) => name === set);
    if (place >= 0 && place !== this.state.set) this.selectSet(place);
    this.selectGroup(found.label, found.seed);
    this.openCompletions({ step: Number(step), format, change });
  }

  // The one completion that a link names, in its run and problem set.
  openOne(row) {
    const run = this.data.runs[row.run], { problem_set, split } = this.browser.problems[row.problem];
    const place = this.data.sets.findIndex(([name, part]) => name === problem_set && part === split);
    if (place >= 0 && place !== this.state.set) this.selectSet(place);
    this.selectGroup(run.label, run.seed);
    this.state.run = row.run;
    this.browser.openOne(row);
  }

  openCompletions(wanted) {
    this.browser.forgetAddress();
    this.browser.reset(wanted);
    document.getElementById("completions").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    document.getElementById("browser").focus({ preventScroll: true });
    this.tip.hide();
  }

  paintSwatches() {
    for (const element of document.querySelectorAll("[data-swatch]")) element.style.setProperty("--c", this.colour(element.dataset.swatch));
  }

  // On paper, figures have one size whatever the window's, and the tables of other arms and the stages are open.
  setPrinting(on) {
    this.printing = on;
    for (const one of document.querySelectorAll("details.arm, details.lineage")) {
      if (on) one.dataset.was = one.open;
      one.open = on || one.dataset.was === "true";
    }
    this.central.draw();
    this.comparison?.drawOverlay();
    this.drawSmall();
    this.browser.draw();
  }

  wire() {
    for (const tile of document.querySelectorAll("button.tile")) tile.addEventListener("click", () => this.openCompletions({ step: Number(tile.dataset.step), format: tile.dataset.format }));
    for (const cell of document.querySelectorAll(".cell-link"))
      cell.addEventListener("click", () => {
        const run = this.data.runs[Number(cell.dataset.run)];
        this.selectGroup(run.label, run.seed);
        this.openCompletions({ step: Number(cell.dataset.step), format: cell.dataset.format });
      });
    for (const row of document.querySelectorAll(".row-link")) row.addEventListener("click", () => this.openRow(row.dataset));
    for (const link of document.querySelectorAll(".run-link"))
      link.addEventListener("click", () => {
        const run = this.data.runs[Number(link.dataset.run)];
        this.selectGroup(run.label, run.seed);
        document.getElementById("dynamics").scrollIntoView();
      });
    const button = document.getElementById("theme"), order = ["auto", "light", "dark"];
    let shown = "auto";
    const apply = (theme) => {
      shown = theme;
      if (theme === "auto") document.documentElement.removeAttribute("data-theme");
      else document.documentElement.dataset.theme = theme;
      button.textContent = `Theme: ${theme}`;
    };
    button.addEventListener("click", () => apply(order[(order.indexOf(shown) + 1) % 3]));
    addEventListener("beforeprint", () => this.setPrinting(true));
    addEventListener("afterprint", () => this.setPrinting(false));
    let width = innerWidth;
    addEventListener("resize", () => innerWidth !== width && ((width = innerWidth), this.drawSmall(), this.comparison?.drawOverlay()));
  }
}

window.page = new Page(JSON.parse(document.getElementById("data").textContent));
window.page.browser.follow();
