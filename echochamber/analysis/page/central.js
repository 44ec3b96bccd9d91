"use strict";
// The central figure: format shares, accuracy per format and pass rates over one axis of RL steps.

const PASS_LINES = [
  { key: "pass@1", label: "pass@1", colour: "var(--ink)", dash: "", read: (row) => [row.accuracy, row.intervals.accuracy] },
  { key: "pass@k", label: "pass@k", colour: "var(--up)", dash: "7 3", curve: "pass@k" },
  { key: "maj@k", label: "maj@k", colour: "var(--vote)", dash: "2 3", curve: "maj@k" },
];

// Below this share a format has too few completions for its accuracy to be drawn.
const RARE = 0.02;

// Width of a letter of a label, and the most letters of a format's name: labels stay inside the figure.
const LETTER = 7.6;
const MOST_LETTERS = 24;
const fitted = (name) => (name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name);

class Central {
  constructor(host, page) {
    this.host = host;
    this.page = page;
    this.cursor = null;
    host.addEventListener("keydown", (event) => this.key(event));
    host.addEventListener("pointerleave", () => this.clear());
    host.addEventListener("blur", () => this.clear());
    new ResizeObserver(() => this.draw()).observe(host);
  }

  runs() {
    return this.page.selectedRuns();
  }

  // Steps at which something can be read: dense training steps and checkpoints.
  steps() {
    const all = this.runs().flatMap((run) => [...run.dense.step, ...this.rows(run).map((row) => row.step)]);
    return [...new Set(all)].sort((a, b) => a - b);
  }

  rows(run) {
    const [name, split] = this.page.set();
    return run.checkpoints.filter((row) => row.problem_set === name && row.split === split);
  }

  // The mean of all seeds with its intervals over seeds, where all of a group's seeds are chosen.
  joined() {
    const [name, split] = this.page.set();
    const rows = this.page.state.seeds === null ? this.page.data.joined[this.page.state.group] || [] : [];
    return rows.filter((row) => row.problem_set === name && row.split === split);
  }

  // Largest k by default that every checkpoint has, so that its curve has no gaps; every k on request.
  ks() {
    const rows = this.runs().flatMap((run) => this.rows(run));
    const found = new Set(rows.flatMap((row) => Object.keys(row["pass@k"]).filter((k) => known(row["pass@k"][k]))));
    return [...found].map(Number).filter((k) => k > 1).sort((a, b) => a - b);
  }

  k() {
    if (this.ks().includes(this.page.state.k)) return String(this.page.state.k);
    const steps = this.checkpointSteps();
    const everywhere = (k) => steps.every((step) => known(this.checkpointAt(step, (row) => [row["pass@k"][k], null])[0]));
    return String(this.ks().filter(everywhere).pop() || 1);
  }

  // Mean over the selected seeds of what `read` finds; null unless every seed has it.
  mean(found) {
    return found.length && found.every(known) ? found.reduce((a, b) => a + b, 0) / found.length : null;
  }

  denseAt(step, kind, name) {
    const values = this.runs().map((run) => {
      const i = run.dense.step.indexOf(step);
      return i < 0 ? null : (run.dense[kind][name] || [])[i];
    });
    return this.mean(values);
  }

  checkpointAt(step, read) {
    const runs = this.runs(), rows = runs.map((run) => this.rows(run).find((row) => row.step === step));
    const cells = rows.map((row) => (row ? read(row) : [null, null]));
    const joined = runs.length > 1 ? this.joined().find((row) => row.step === step) : null;
    return [this.mean(cells.map((c) => c[0])), joined ? read(joined)[1] : cells.length === 1 ? cells[0][1] : null, cells.map((c) => c[0])];
  }

  checkpointSteps() {
    return [...new Set(this.runs().flatMap((run) => this.rows(run).map((row) => row.step)))].sort((a, b) => a - b);
  }

  draw() {
    const { paddingLeft, paddingRight } = getComputedStyle(this.host);
    const width = this.page.printing ? PAPER.width : this.host.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    if (!(width > 0)) return;
    const steps = this.steps();
    if (!steps.length) {
      this.host.replaceChildren(node("p", { class: "none" }, "No step is trained or evaluated yet."));
      return;
    }
    const narrow = width < 560;
    const longest = Math.max(...this.page.formats.map(({ name }) => fitted(name).length));
    const gutter = narrow ? 8 : Math.max(144, 28 + LETTER * (longest + " 99.9%".length));
    this.box = { width, left: 40, right: width - gutter, narrow };
    this.x = scaleX(Math.max(...steps), this.box.left, this.box.right, this.page.state.log);
    const heights = this.page.printing ? PAPER.panels : narrow ? [210, 160, 160] : [250, 190, 190];
    const gap = narrow ? 56 : 34;
    this.panels = [];
    let top = 22;
    for (const height of heights) {
      this.panels.push({ top, bottom: top + height });
      top += height + gap;
    }
    const total = top + 12;
    const svg = node("svg", { width, height: total, viewBox: `0 0 ${width} ${total}`, "aria-hidden": "true" });
    this.drawShares(svg, this.panels[0], steps);
    this.drawAccuracy(svg, this.panels[1]);
    this.drawPass(svg, this.panels[2]);
    this.drawSteps(svg, steps, total);
    this.rule = node("line", { class: "cursor", y1: this.panels[0].top, y2: this.panels[2].bottom, x1: -9, x2: -9 });
    svg.append(this.rule);
    svg.addEventListener("pointermove", (event) => this.point(event));
    svg.addEventListener("click", (event) => this.open(event));
    this.host.replaceChildren(svg);
    if (this.cursor !== null) this.show(this.cursor, null);
  }

  frame(svg, panel, title) {
    const { left, right } = this.box;
    svg.append(node("text", { class: "panel-title", x: left, y: panel.top - 8 }, title));
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      const y = panel.bottom - (panel.bottom - panel.top) * tick;
      svg.append(node("line", { class: "grid", x1: left, x2: right, y1: y, y2: y }));
      if (tick % 0.5 === 0) svg.append(node("text", { class: "tick", x: left - 6, y: y + 4, "text-anchor": "end" }, `${100 * tick}%`));
    }
    return (value) => panel.bottom - (panel.bottom - panel.top) * value;
  }

  drawShares(svg, panel, steps) {
    const y = this.frame(svg, panel, "Share of each format");
    const names = this.page.formats.map((f) => f.name);
    const dense = steps.filter((step) => names.some((name) => known(this.denseAt(step, "share", name))));
    const share = (step, name) => {
      const value = this.denseAt(step, "share", name);
      return known(value) ? value : this.checkpointAt(step, (row) => [(row.formats[name] || {}).share, null])[0] || 0;
    };
    const drawn = dense.length ? dense : this.checkpointSteps();
    const xs = drawn.map(this.x), base = this.checkpointSteps()[0] === 0 && drawn[0] !== 0 ? [0] : [];
    const columns = [...base, ...drawn];
    const allXs = [...base.map(this.x), ...xs];
    let below = columns.map(() => 0);
    const last = columns.length - 1;
    for (const name of names) {
      if (!this.page.state.formats.has(name)) continue;
      const above = columns.map((step, i) => below[i] + share(step, name));
      const area = node("path", { class: "area", d: areaPath(allXs, below.map(y), above.map(y)), style: `fill:${this.page.colour(name)}`, "data-format": name });
      svg.append(area);
      this.labelArea(svg, name, columns, below, above, y, allXs, last);
      below = above;
    }
    if (this.page.state.null) this.drawNull(svg, y, names);
    for (const label of svg.querySelectorAll(".on-area")) svg.append(label);
    let stacked = new Map(this.checkpointSteps().map((step) => [step, 0]));
    for (const name of names) {
      if (!this.page.state.formats.has(name)) continue;
      for (const step of stacked.keys()) {
        const value = this.checkpointAt(step, (row) => [(row.formats[name] || {}).share, null])[0];
        if (!known(value)) continue;
        stacked.set(step, stacked.get(step) + value);
        const total = stacked.get(step);
        if (total > 0.004 && total < 0.996) svg.append(node("circle", { class: "boundary", cx: this.x(step), cy: y(total), r: 3.2, "data-step": step, "data-format": name }));
      }
    }
  }

  // The null model's bands as dotted borders, stacked in the same order as the bands.
  drawNull(svg, y, names) {
    const runs = this.runs();
    if (!runs.every((run) => run.null)) return;
    const steps = runs[0].dense.step.filter((step) => runs.every((run) => run.dense.step.includes(step)));
    const base = (name) => this.checkpointAt(0, (row) => [(row.formats[name] || {}).share ?? 0, null])[0];
    const start = names.every((name) => known(base(name))) ? [0] : [];
    let below = [...start, ...steps].map(() => 0);
    for (const name of names.filter((one) => this.page.state.formats.has(one))) {
      const shares = steps.map((step) => this.mean(runs.map((run) => run.null[name][run.dense.step.indexOf(step)])));
      below = [...start.map(() => base(name)), ...shares].map((share, i) => below[i] + share);
      if (below.some((sum) => sum < 0.985)) svg.append(node("path", { class: "null", d: linePath([...start, ...steps].map((step, i) => [this.x(step), y(below[i])])) }));
    }
  }

  // Names are written on the bands, so that no one needs colour to tell them apart.
  labelArea(svg, name, columns, below, above, y, xs, last) {
    const { right, narrow } = this.box;
    const end = above[last] - below[last];
    if (!narrow && end > 0.04) {
      const middle = y((above[last] + below[last]) / 2);
      // The evaluated share where the last step has one: the number of the tiles and tables.
      const evaluated = this.checkpointAt(columns[last], (row) => [(row.formats[name] || {}).share, null])[0];
      svg.append(node("text", { class: "series-label", x: right + 8, y: middle + 4 }, `${fitted(name)} ${percent(known(evaluated) ? evaluated : end)}`));
    }
    const half = Math.max(40, (LETTER * fitted(name).length) / 2);
    let best = -1, thickest = 0;
    columns.forEach((_, i) => {
      const thick = above[i] - below[i];
      if (thick > thickest && xs[i] > xs[0] + half && xs[i] < right - half) [best, thickest] = [i, thick];
    });
    if (best >= 0 && thickest > 0.13) svg.append(node("text", { class: "on-area", x: xs[best], y: y((above[best] + below[best]) / 2) + 4, "text-anchor": "middle" }, fitted(name)));
  }

  drawAccuracy(svg, panel) {
    const y = this.frame(svg, panel, "Accuracy of each format");
    const labels = [];
    for (const { name } of this.page.formats) {
      if (!this.page.state.formats.has(name)) continue;
      const colour = this.page.colour(name);
      // One seed: training accuracy behind the checkpoints, where enough completions make it a number.
      for (const run of this.runs().length === 1 ? this.runs() : []) {
        const points = run.dense.step.map((step, i) => [this.x(step), run.dense.share[name][i] >= RARE ? y(run.dense.accuracy[name][i] ?? NaN) : NaN]);
        svg.append(node("path", { class: this.checkpointSteps().length ? "line faint" : "line thin", d: linePath(points), style: `stroke:${colour}` }));
      }
      const read = (row) => ((row.formats[name] || {}).share >= RARE ? [row.formats[name].accuracy, (row.intervals.formats[name] || {}).accuracy] : [null, null]);
      this.checkpointLine(svg, y, read, colour, this.page.dash(name), fitted(name), labels, { format: name });
    }
    this.endLabels(svg, labels, panel);
  }

  drawPass(svg, panel) {
    const k = this.k();
    const y = this.frame(svg, panel, this.box.narrow ? "pass@1, pass@k and maj@k" : "Accuracy of the model: pass@1, pass@k and maj@k");
    const labels = [];
    if (!this.checkpointSteps().length) svg.append(node("text", { class: "tick", x: (this.box.left + this.box.right) / 2, y: (panel.top + panel.bottom) / 2 - 8, "text-anchor": "middle" }, "no checkpoint is evaluated yet"));
    for (const line of Number(k) > 1 ? PASS_LINES : PASS_LINES.slice(0, 1)) {
      const read = line.read || ((row) => [row[line.curve][k], row.intervals[line.curve][k]]);
      this.checkpointLine(svg, y, read, line.colour, line.dash, line.label.replace("k", k), labels);
    }
    this.endLabels(svg, labels, panel);
  }

  checkpointLine(svg, y, read, colour, dash, label, labels, target = {}) {
    const steps = this.checkpointSteps();
    // A checkpoint without the value (fewer samples, a format that nobody wrote) has no point.
    const cells = steps.map((step) => [step, ...this.checkpointAt(step, read)]).filter(([, value]) => known(value));
    const runs = this.runs().length;
    if (runs > 1)
      for (let r = 0; r < runs; r++)
        svg.append(node("path", { class: "line faint", d: linePath(cells.map(([step, , , each]) => [this.x(step), y(each[r] ?? NaN)])), style: `stroke:${colour}` }));
    svg.append(node("path", { class: "line", d: linePath(cells.map(([step, value]) => [this.x(step), y(value ?? NaN)])), style: `stroke:${colour};stroke-dasharray:${dash || "none"}` }));
    for (const [step, value, bounds] of cells) {
      if (bounds) svg.append(node("line", { class: "whisker", x1: this.x(step), x2: this.x(step), y1: y(bounds[0]), y2: y(bounds[1]), style: `stroke:${colour}` }));
      svg.append(node("circle", { class: "dot", cx: this.x(step), cy: y(value), r: 3.6, style: `fill:${colour}`, "data-step": step, "data-format": target.format || "" }));
    }
    const final = cells[cells.length - 1];
    if (final && final[0] === steps[steps.length - 1]) labels.push({ y: y(final[1]), text: `${label} ${percent(final[1])}`, colour, dash });
    // A format that is no longer written is named where its line ends.
    else if (final && target.format) {
      const room = this.x(final[0]) + 8 + 7.4 * label.length < this.box.width;
      svg.append(node("text", { class: "series-label", x: this.x(final[0]) + (room ? 8 : -8), y: y(final[1]) - 7, "text-anchor": room ? "start" : "end" }, label));
    }
  }

  // Labels at the right edge, pushed apart so that none hides another; below the panel on a narrow page.
  endLabels(svg, labels, panel) {
    if (this.box.narrow) {
      let x = this.box.left, y = panel.bottom + 19;
      for (const label of labels) {
        const width = label.text.length * 7.8 + 22;
        if (x + width > this.box.width && x > this.box.left) (x = this.box.left), (y += 15);
        this.endLabel(svg, label, x, y);
        x += width + 10;
      }
      return;
    }
    labels.sort((a, b) => a.y - b.y);
    labels.forEach((label, i) => (label.y = Math.max(label.y, i ? labels[i - 1].y + 15 : panel.top + 4)));
    for (let i = labels.length - 1; i >= 0; i--) labels[i].y = Math.min(labels[i].y, i === labels.length - 1 ? panel.bottom : labels[i + 1].y - 15);
    for (const label of labels) this.endLabel(svg, label, this.box.right + 8, label.y + 4);
  }

  // A piece of the line beside its name in text colour: readable on every background, also without colour.
  endLabel(svg, { text, colour, dash }, x, y) {
    svg.append(node("line", { x1: x, x2: x + 15, y1: y - 4, y2: y - 4, style: `stroke:${colour};stroke-width:3;stroke-dasharray:${dash || "none"}` }));
    svg.append(node("text", { class: "series-label", x: x + 20, y }, text));
  }

  drawSteps(svg, steps, total) {
    const { left, right } = this.box;
    const last = Math.max(...steps);
    for (const panel of this.panels)
      for (const step of this.checkpointSteps()) svg.append(node("line", { class: "checkpoint", x1: this.x(step), x2: this.x(step), y1: panel.bottom, y2: panel.bottom + 5 }));
    const ticks = stepTicks(last, this.page.state.log, Math.floor((right - left) / 60)).filter((tick) => this.x(last) - this.x(tick) > 26);
    for (const tick of [...ticks, last])
      svg.append(node("text", { class: "tick", x: this.x(tick), y: total - 20, "text-anchor": this.x(tick) > this.box.width - 14 ? "end" : "middle" }, tick));
    svg.append(node("text", { class: "tick", x: (left + right) / 2, y: total - 4, "text-anchor": "middle" }, "RL step"));
  }
}
