"use strict";
// Words searched in completions, and an address for each completion: what a link to one carries, and what it opens.

const HITS = 50, ADDRESS = ["run", "of", "step", "set", "split", "problem", "sample"], SOURCES = ["evaluation", "training"];

// Text as nodes in which every place that matches is marked; lower case must not move the places.
function marked(text, words) {
  const lower = text.toLowerCase(), parts = [];
  if (!words || lower.length !== text.length) return [text];
  let from = 0;
  for (let at = lower.indexOf(words); at >= 0; at = lower.indexOf(words, from)) {
    parts.push(text.slice(from, at), node("mark", {}, text.slice(at, at + words.length)));
    from = at + words.length;
  }
  return [...parts, text.slice(from)];
}

Object.assign(Browser.prototype, {
  // The field stays while the controls beside it are made anew, so that typing goes on.
  drawSearch() {
    const field = node("input", { id: "browser-search", type: "search", placeholder: "words of a completion or a problem", oninput: (event) => this.search(event.target.value) });
    document.getElementById("browser-words").replaceChildren(node("label", {}, "Search", field), node("div", { id: "browser-hits", role: "status" }));
  },

  search(words) {
    this.words = words.trim().toLowerCase();
    this.at = 0;
    this.forgetAddress();
    this.drawHits();
    this.draw();
  },

  contains(row) {
    if (!this.words) return true;
    row.lower ??= [row.text, row.answer ?? "", this.problems[row.problem].question ?? ""].join("\n").toLowerCase();
    return row.lower.includes(this.words);
  },

  // Matches in all runs, each a link; the choices below narrow the list of one run.
  drawHits() {
    const host = document.getElementById("browser-hits");
    if (!this.words) return host.replaceChildren();
    const found = this.completions.filter((row) => this.contains(row)), runs = new Set(found.map((row) => row.run)).size;
    const text = `${found.length.toLocaleString("en")} of the ${this.completions.length.toLocaleString("en")} completions on this page match${found.length ? `, in ${runs} ${runs === 1 ? "run" : "runs"}` : ""}`;
    const rest = found.length > HITS ? node("p", { class: "fine" }, `The first ${HITS} are listed.`) : null;
    host.replaceChildren(found.length ? node("details", { class: "hits" }, node("summary", {}, text), node("ul", {}, found.slice(0, HITS).map((row) => node("li", {}, this.hit(row)))), rest) : node("p", { class: "fine" }, `${text}.`));
  },

  hit(row) {
    const run = this.page.data.runs[row.run], { problem_id } = this.problems[row.problem];
    const at = Math.max(row.text.toLowerCase().indexOf(this.words) - 30, 0), excerpt = row.text.slice(at, at + 90).replace(/\s+/g, " ");
    return [node("a", { href: this.address(row) }, `${run.label}, seed ${run.seed}, ${row.source ? "training " : ""}step ${row.step}, ${problem_id}`), ` ${row.format}, ${row.outcome.replace("_", " ")}: `, node("span", { class: "excerpt" }, marked(excerpt, this.words))];
  },

  parts(row) {
    const { problem_set, split, problem_id } = this.problems[row.problem];
    return [this.page.data.runs[row.run].id, SOURCES[row.source], row.step, problem_set, split, problem_id, row.sample].map(String);
  },

  // Names instead of places in the data, so that a link outlives the page it was taken from.
  address(row) {
    return `#${new URLSearchParams(this.parts(row).map((part, i) => [ADDRESS[i], part]))}`;
  },

  forgetAddress() {
    this.target = null;
    if (location.hash.startsWith(`#${ADDRESS[0]}=`)) history.replaceState(null, "", "#completions");
  },

  // Opens the completion that the page's address names, if it names one.
  follow() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (!ADDRESS.every((name) => wanted.has(name))) return;
    const row = this.completions.find((one) => this.parts(one).every((part, i) => part === wanted.get(ADDRESS[i])));
    if (row) this.page.openOne(row);
    else this.host.prepend(node("p", { class: "note", id: "browser-lost" }, "The link names a completion that this page does not carry."));
    (row ? this.host.querySelector(".card.target") : this.host).scrollIntoView({ block: "center" });
    (row ? this.host.querySelector(".card.target") : this.host).focus({ preventScroll: true });
  },

  openOne(row) {
    Object.assign(this.filter, { right: `${row.source}:${row.step}`, format: "", outcome: "", change: "" });
    this.words = "";
    document.getElementById("browser-search").value = "";
    this.drawHits();
    this.target = row;
    this.at = Math.max(this.matches().findIndex(({ problem }) => problem === row.problem), 0);
    this.draw();
    const card = this.host.querySelector(".card.target");
    if (card?.closest("details")) card.closest("details").open = true;
  },
});
