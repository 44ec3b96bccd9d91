"use strict";
// Curves of chosen arms in one figure: a share over training steps, or a score at the checkpoints.

Object.assign(Comparison.prototype, {
  measures() {
    const k = this.k();
    return [["winner", "share of each arm’s winner"], ...this.page.formats.map(({ name }) => [`format:${name}`, `share of ${name}`]), ["accuracy", "pass@1"], ...(k ? [["pass@k", `pass@${k}`]] : [])];
  },

  // Where an arm's checkpoints are: averaged over its seeds, or those of its one run.
  checkpoints(label) {
    const [name, split] = this.page.set();
    const rows = this.page.data.joined[label] || this.page.data.runs.find((run) => run.label === label)?.checkpoints || [];
    return rows.filter((row) => row.problem_set === name && row.split === split);
  },

  // Points of the line, and checkpoints with their intervals over seeds (within the one seed of an arm that has one).
  series(arm, index) {
    const name = this.measure === "winner" ? this.commonWinner(arm) : this.measure.startsWith("format:") ? this.measure.slice(7) : null;
    const k = String(this.k());
    const read = name
      ? (row) => [(row.formats[name] || {}).share, (row.intervals.formats?.[name] || {}).share]
      : this.measure === "accuracy" ? (row) => [row.accuracy, row.intervals.accuracy] : (row) => [row["pass@k"][k], row.intervals["pass@k"]?.[k]];
    const dots = this.checkpoints(arm.label).map((row) => [row.step, ...read(row)]).filter(([, value]) => known(value));
    const { steps, shares } = this.curves(arm.label);
    const dense = name ? steps.map((step, i) => [step, shares[name]?.[i] ?? null]).filter(([, value]) => known(value)) : [];
    const start = dense.length && dots[0]?.[0] === 0 ? [dots[0].slice(0, 2)] : [];
    return { label: arm.label, name, dots, points: dense.length ? [...start, ...dense] : dots.map((dot) => dot.slice(0, 2)), colour: `var(--format-${CURVE_COLOURS[index % CURVE_COLOURS.length]})`, dash: index % 2 ? "6 3" : "none" };
  },

  // The format that won in most seeds.
  commonWinner(arm) {
    return Object.entries(arm.winners).sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
  },

  drawOverlay() {
    const arms = this.arms().filter((arm) => this.chosen.has(arm.label));
    const series = arms.map((arm, i) => this.series(arm, i));
    const found = this.found().slice(0, CHOSEN).map((arm) => arm.label);
    const held = this.overlay.contains(document.activeElement) ? document.activeElement.id : null;
    const controls = node("div", { class: "controls" },
      node("label", {}, "Curve", node("select", { id: "arms-measure", onchange: (event) => ((this.measure = event.target.value), this.drawOverlay()) }, this.measures().map(([key, text]) => node("option", { value: key, selected: key === this.measure }, text)))),
      node("button", { type: "button", class: "toggle", id: "arms-first", onclick: () => this.chooseAll(found) }, `Choose the first ${found.length} of the table`),
      node("button", { type: "button", class: "toggle", id: "arms-none", onclick: () => this.chooseAll([]) }, "Choose none"));
    const legend = node("ul", { class: "legend" }, series.map((one) => node("li", {}, node("svg", { width: 26, height: 10, "aria-hidden": "true" }, node("line", { x1: 0, x2: 26, y1: 5, y2: 5, style: `stroke:${one.colour};stroke-width:3;stroke-dasharray:${one.dash}` })), `${one.label}${this.measure === "winner" && one.name ? ` (${one.name})` : ""}`)));
    const figure = series.some((one) => one.points.length) ? this.curveFigure(series) : node("p", { class: "none" }, "Choose arms in the table to draw their curves.");
    this.overlay.replaceChildren(controls, figure, legend);
    if (held) document.getElementById(held)?.focus();
  },

  curveFigure(series) {
    const width = this.page.printing ? PAPER.width : Math.max(Math.min(this.overlay.clientWidth - 24, 1032), 240), height = 260, left = 40, right = width - 12, top = 12, bottom = 214;
    const steps = [...new Set(series.flatMap((one) => one.points.map(([step]) => step)))].sort((a, b) => a - b);
    const last = steps[steps.length - 1];
    const x = scaleX(last, left, right, this.page.state.log), y = (value) => bottom - (bottom - top) * value;
    const svg = node("svg", { class: "curves", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${this.measures().find(([key]) => key === this.measure)[1]}, by arm, over RL steps. Arrow keys read values.` });
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      svg.append(node("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
      svg.append(node("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, `${100 * tick}%`));
    }
    const ticks = stepTicks(last, this.page.state.log, Math.floor((right - left) / 60)).filter((tick) => x(last) - x(tick) > 26);
    for (const tick of [...ticks, last]) svg.append(node("text", { class: "tick", x: x(tick), y: bottom + 16, "text-anchor": tick === last ? "end" : "middle" }, tick));
    svg.append(node("text", { class: "tick", x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, "RL step"));
    for (const { points, dots, colour, dash } of series) {
      svg.append(node("path", { class: "line", d: linePath(points.map(([step, value]) => [x(step), y(value)])), style: `stroke:${colour};stroke-dasharray:${dash}` }));
      for (const [step, value, bounds] of dots) {
        if (bounds) svg.append(node("line", { class: "whisker", x1: x(step), x2: x(step), y1: y(bounds[0]), y2: y(bounds[1]), style: `stroke:${colour}` }));
        svg.append(node("circle", { class: "dot", cx: x(step), cy: y(value), r: 3.2, style: `fill:${colour}` }));
      }
    }
    const at = series.map(({ points, dots }) => ({ line: new Map(points), dots: new Map(dots.map(([step, value, bounds]) => [step, [value, bounds]])) }));
    const words = (i) => [[`Step ${steps[i]}`, ""], ...series.flatMap((one, s) => {
      const [value, bounds] = at[s].dots.get(steps[i]) || [at[s].line.get(steps[i]), null];
      return known(value) ? [[{ text: one.label, colour: one.colour }, percent(value), bounds ? `[${interval(bounds)}]` : ""]] : [];
    })];
    readable(svg, { xs: steps.map(x), top, bottom, words });
    return svg;
  },
});
