"use strict";
// The completion browser: one problem at a time, two checkpoints side by side, or one training step.

// Rows come as arrays in the order of `columns`; here they are objects.
const named = (columns, rows) => rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
const CHANGES = { "": "any change", gained: "wrong → right", lost: "right → wrong", kept: "right → right", missed: "wrong → wrong", format: "another format" };
const shown = () => (innerWidth < 640 && !window.page?.printing ? 1 : 3);

class Browser {
  constructor(host, controls, page) {
    Object.assign(this, { host, controls, page, at: 0, words: "", target: null });
    this.filter = { left: "0:0", right: "", format: "", outcome: "", change: "" };
    const { problems, row_columns, rows, count_columns, counts } = page.data.completions;
    this.problems = problems;
    this.completions = named(row_columns, rows);
    this.counts = named(count_columns, counts);
    this.drawSearch();
    addEventListener("hashchange", () => this.follow());
    host.addEventListener("keydown", (event) => {
      if (event.target.matches("select, input")) return;
      if (event.key === "ArrowRight") this.move(1);
      if (event.key === "ArrowLeft") this.move(-1);
    });
  }

  rows() {
    return this.completions.filter((row) => row.run === this.page.state.run);
  }

  // A page of very many runs carries completions of some; of the others it has the counts alone.
  carried() {
    return this.page.data.completions.carried.includes(this.page.state.run);
  }

  counted() {
    return this.counts.filter((row) => row.run === this.page.state.run);
  }

  steps(source) {
    const rows = this.carried() ? this.rows().filter((row) => row.source === source) : source ? [] : this.counted();
    return [...new Set(rows.map((row) => row.step))].sort((a, b) => a - b);
  }

  // A new run, or new filters from a click elsewhere on the page.
  reset(wanted = {}) {
    const evaluated = this.steps(0), trained = this.steps(1);
    const last = evaluated[evaluated.length - 1];
    this.filter = { left: `0:${evaluated[0] ?? 0}`, right: last === undefined ? `1:${trained[0] ?? 0}` : `0:${last}`, format: wanted.format || "", outcome: wanted.outcome || "", change: wanted.change || "" };
    if (wanted.step !== undefined) {
      if (evaluated.includes(wanted.step)) this.filter.right = `0:${wanted.step}`;
      else if (trained.length) this.filter.right = `1:${trained.reduce((a, b) => (Math.abs(b - wanted.step) < Math.abs(a - wanted.step) ? b : a))}`;
    }
    this.at = 0;
    this.target = null;
    this.draw();
  }

  select(label, key, options) {
    const choice = node("select", { id: `browser-${key}`, onchange: (event) => this.choose(key, event.target.value) });
    for (const [group, entries] of options) {
      const host = group ? node("optgroup", { label: group }) : choice;
      for (const [value, text] of entries) host.append(node("option", { value, selected: this.filter[key] === value }, text));
      if (group) choice.append(host);
    }
    return node("label", {}, label, choice);
  }

  choose(key, value) {
    this.filter[key] = value;
    this.at = 0;
    this.forgetAddress();
    this.draw();
    document.getElementById(`browser-${key}`).focus();
  }

  drawControls() {
    const name = (step) => (step === 0 ? "base (step 0)" : `step ${step}`);
    const evaluated = this.steps(0).map((step) => [`0:${step}`, name(step)]);
    const trained = this.steps(1).map((step) => [`1:${step}`, `step ${step}`]);
    const rows = this.carried() ? this.rows() : this.counted();
    const distinct = (field) => [...new Set(rows.map((row) => row[field]))].sort();
    const right = [["checkpoints", evaluated]];
    if (trained.length) right.push(["training rollouts", trained]);
    const training = this.filter.right.startsWith("1:");
    this.controls.replaceChildren(
      ...(training ? [] : [this.select("Before", "left", [["", evaluated]])]),
      this.select(training ? "Step" : "After", "right", right),
      this.select("Format", "format", [["", [["", "any"], ...distinct("format").map((f) => [f, f])]]]),
      this.select("Outcome", "outcome", [["", [["", "any"], ...distinct("outcome").map((o) => [o, o.replace("_", " ")])]]]),
      ...(training ? [] : [this.select("Change", "change", [["", Object.entries(CHANGES)]])]),
    );
  }

  side(key) {
    const [source, step] = this.filter[key].split(":").map(Number);
    const found = new Map();
    for (const row of this.rows())
      if (row.source === source && row.step === step) {
        if (!found.has(row.problem)) found.set(row.problem, []);
        found.get(row.problem).push(row);
      }
    return found;
  }

  passes(row) {
    return (!this.filter.format || row.format === this.filter.format) && (!this.filter.outcome || row.outcome === this.filter.outcome) && this.contains(row);
  }

  // A change compares the first completion of each side: the greedy one where there is one.
  changes(before, after) {
    if (!this.filter.change) return true;
    if (!before || !after) return false;
    const [was, is] = [before[0], after[0]];
    const right = (row) => row.outcome === "correct";
    const tests = { gained: !right(was) && right(is), lost: right(was) && !right(is), kept: right(was) && right(is), missed: !right(was) && !right(is), format: was.format !== is.format };
    return tests[this.filter.change];
  }

  // Problems with a matching completion on the chosen checkpoint, in a fixed order.
  matches() {
    const training = this.filter.right.startsWith("1:");
    const before = training ? new Map() : this.side("left"), after = this.side("right");
    const set = training ? null : this.page.set();
    const found = [];
    for (const [problem, rows] of after) {
      const { problem_set, split } = this.problems[problem];
      if (set && (problem_set !== set[0] || split !== set[1])) continue;
      if (rows.some((row) => this.passes(row)) && (training || this.changes(before.get(problem), rows))) found.push({ problem, before: before.get(problem), after: rows });
    }
    return found;
  }

  move(by) {
    this.forgetAddress();
    const count = this.matches().length;
    this.at = count ? (this.at + by + count) % count : 0;
    this.draw();
  }

  countText() {
    const [source, step] = this.filter.right.split(":").map(Number);
    if (source) return "The page carries a few completions of each training step.";
    const [name, split] = this.page.set();
    const rows = this.counted().filter((row) => row.problem_set === name && row.split === split && row.step === step);
    const sum = (some) => some.reduce((total, row) => total + row.number, 0);
    const kept = (row) => (!this.filter.format || row.format === this.filter.format) && (!this.filter.outcome || row.outcome === this.filter.outcome);
    const all = sum(rows), match = sum(rows.filter(kept));
    if (this.words) return `Words are searched in the completions that the page carries, a part of all ${all.toLocaleString("en")} of this checkpoint.`;
    return `${match.toLocaleString("en")} of all ${all.toLocaleString("en")} sampled completions of this checkpoint match the filters. The page carries ${this.carried() ? "a part" : "none"} of them.`;
  }

  draw() {
    this.drawControls();
    const found = this.matches();
    if (!found.length) {
      const some = this.page.data.completions.carried.length, runs = this.page.data.runs.length;
      const left = this.carried() ? "" : `This page carries completions of ${some} of the ${runs.toLocaleString("en")} runs, and this run is none of them. They are in records.parquet of its evaluate stages.`;
      this.host.replaceChildren(node("p", { class: "none" }, left || (this.rows().length ? (this.words ? "No completion of this checkpoint matches. Loosen a filter, or change the words." : "No completion on this page matches. Loosen a filter.") : "This run has no graded completions yet.")), node("p", { class: "fine" }, this.countText()));
      return;
    }
    this.at = Math.min(this.at, found.length - 1);
    const { problem, before, after } = found[this.at];
    const { question, reference, family, difficulty, problem_id } = this.problems[problem];
    const pager = node("div", { class: "pager" },
      node("button", { type: "button", onclick: () => this.move(-1), "aria-label": "Previous problem" }, "←"),
      node("span", { "aria-live": "polite" }, `Problem ${this.at + 1} of ${found.length}`),
      node("button", { type: "button", onclick: () => this.move(1), "aria-label": "Next problem" }, "→"));
    const place = [problem_id, family, difficulty ? `${difficulty} operation${difficulty > 1 ? "s" : ""}` : ""].filter(Boolean).join(" · ");
    const training = this.filter.right.startsWith("1:");
    const title = (key) => (this.filter[key] === "0:0" ? "Base model, before RL" : `${training ? "Training rollout at" : "After"} step ${this.filter[key].slice(2)} of RL`);
    this.host.replaceChildren(
      pager,
      node("div", { class: "problem" }, node("p", { class: "q" }, marked(question || "", this.words)), node("p", { class: "fine" }, "Correct answer ", node("b", {}, reference || "–"), ` · ${place}`)),
      node("div", { class: training ? "sides one" : "sides" }, training ? null : this.column(title("left"), before), this.column(title("right"), after)),
      node("p", { class: "fine" }, this.countText()));
  }

  column(title, rows) {
    const sorted = [...(rows || [])].sort((a, b) => this.passes(b) - this.passes(a));
    const cards = sorted.map((row) => this.card(row));
    const rest = cards.slice(shown());
    const more = rest.length ? node("details", { class: "more" }, node("summary", {}, `${rest.length} more`), ...rest) : null;
    return node("div", { class: "side" }, node("h3", {}, title), ...(cards.length ? cards.slice(0, shown()) : [node("p", { class: "none" }, "This checkpoint has no completion of this problem on the page.")]), more);
  }

  card(row) {
    const right = row.outcome === "correct";
    const facts = [row.sample < 0 ? "greedy" : `sample ${row.sample}`, `${row.num_tokens ?? "?"} tokens`, row.truncated ? "truncated" : "", row.detail || ""].filter(Boolean).join(" · ");
    const target = row === this.target;
    return node("article", { class: `card${this.passes(row) ? "" : " off"}${target ? " target" : ""}`, tabindex: target ? -1 : null },
      node("header", {},
        node("span", { class: "format", style: `--c:${this.page.colour(row.format)}` }, row.format),
        node("span", { class: `outcome ${right ? "right" : "wrong"}` }, `${right ? "✓" : "✗"} ${row.outcome.replace("_", " ")}`),
        node("span", { class: "answer" }, row.answer === null ? "no answer" : `answer ${row.answer}`)),
      row.boxed === null ? null : node("p", { class: "box-says" }, "The program’s answer counts: ", node("b", {}, row.answer), ". The box says ", node("b", {}, row.boxed), "."),
      node("pre", {}, marked(row.text || "(empty)", this.words)),
      node("footer", {}, facts, node("a", { class: "address", href: this.address(row), "aria-label": "Link to this completion" }, "link")));
  }
}
