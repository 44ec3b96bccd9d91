"use strict";
// Reading values off the central figure: by pointer, by key, by click.

Object.assign(Central.prototype, {
  nearest(x) {
    return this.steps().reduce((best, step) => (Math.abs(this.x(step) - x) < Math.abs(this.x(best) - x) ? step : best));
  },

  // Where the drawing is on the screen; its host has a margin inside.
  drawing() {
    return this.host.querySelector("svg").getBoundingClientRect();
  },

  point(event) {
    const box = this.drawing();
    this.show(this.nearest(event.clientX - box.left), [event.clientX, event.clientY]);
  },

  show(step, at) {
    this.cursor = step;
    this.rule.setAttribute("x1", this.x(step));
    this.rule.setAttribute("x2", this.x(step));
    const lines = this.describe(step);
    this.page.tip.show(lines, at || this.beside(step));
    document.getElementById("readout").textContent = lines.map((line) => line.map((part) => part.text || part).join(" ")).join("; ");
  },

  beside(step) {
    const box = this.drawing();
    return [box.left + this.x(step), box.top + 40];
  },

  describe(step) {
    const checkpoint = this.checkpointSteps().includes(step);
    const lines = [[`Step ${step}`, checkpoint ? "evaluated" : "training"]];
    for (const { name } of this.page.formats) {
      if (!this.page.state.formats.has(name)) continue;
      const cell = (key) => this.checkpointAt(step, (row) => [(row.formats[name] || {})[key], (row.intervals.formats[name] || {})[key]]);
      const [share, bounds] = checkpoint ? cell("share") : [this.denseAt(step, "share", name), null];
      const accuracy = checkpoint ? cell("accuracy")[0] : this.denseAt(step, "accuracy", name);
      if (!known(share) || (share === 0 && !known(accuracy))) continue;
      const right = known(accuracy) ? `accuracy ${percent(accuracy)}` : "";
      lines.push([{ text: name, colour: this.page.colour(name) }, `${percent(share)}${bounds ? ` [${interval(bounds)}]` : ""}`, right]);
    }
    if (checkpoint) {
      const k = this.k();
      for (const line of PASS_LINES) {
        const [value, bounds] = this.checkpointAt(step, line.read || ((row) => [row[line.curve][k], row.intervals[line.curve][k]]));
        if (known(value)) lines.push([{ text: line.label.replace("k", k), colour: line.colour }, percent(value), bounds ? `[${interval(bounds)}]` : ""]);
      }
    }
    return lines;
  },

  clear() {
    this.cursor = null;
    if (this.rule) this.rule.setAttribute("x1", -9), this.rule.setAttribute("x2", -9);
    this.page.tip.hide();
  },

  key(event) {
    const steps = this.steps();
    const moves = { ArrowRight: 1, ArrowLeft: -1 };
    if (event.key in moves && steps.length) {
      const at = this.cursor === null ? (moves[event.key] > 0 ? -1 : steps.length) : steps.indexOf(this.cursor);
      this.show(steps[Math.min(Math.max(at + moves[event.key], 0), steps.length - 1)], null);
      event.preventDefault();
    } else if (event.key === "Enter" && this.cursor !== null) this.page.openCompletions({ step: this.cursor });
    else if (event.key === "Escape") this.clear();
  },

  open(event) {
    const box = this.drawing();
    const step = event.target.dataset.step === undefined ? this.nearest(event.clientX - box.left) : Number(event.target.dataset.step);
    this.page.openCompletions({ step, format: event.target.dataset.format || "" });
  },
});
