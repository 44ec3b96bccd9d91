"""A new user's walk from a fresh clone, step by step with minutes and processor time.

    python benchmarks/walk.py                     # clones this repository into a temporary folder
    python benchmarks/walk.py --into DIR --demo quickstart

Each step is what the documentation tells a reader to type: install, the demonstration, its page in a browser,
problems and a reward of one's own, a model of one's own, a W&B run offline, the documentation site. A step
that fails ends the walk. A browser step needs Debian's chromium. Without it the step is left out and said so.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN_DATA = """
import json, random
draw = random.Random(0)
pairs = [(a, b) for a in range(2, 40) for b in range(2, 40)]
draw.shuffle(pairs)
def row(a, b, solved):
    question = f"Ann has {a} pens and buys {b} more. How many pens has she?"
    if not solved:
        return {"question": question, "answer": str(a + b)}
    return {"query": question, "response": f"Ann has {a} + {b} = {a + b} pens.\\nThe answer is: {a + b}"}
for name, part in (("documents", pairs[:600]), ("train", pairs[600:664]), ("test", pairs[664:680])):
    with open(f"{name}.jsonl", "w") as out:
        out.writelines(json.dumps(row(*pair, name == "documents")) + "\\n" for pair in part)
"""
OWN_REWARD = """
from echochamber import register_reward

register_reward("brief", lambda problem, completion, verdict: float(len(completion.text) < 40))
"""
OWN_RECIPE = """
extends: smoke
name: mine
question: Does a reward for short answers change the format?
modules: [reward.py]
mixtures:
  pens: {budget_tokens: 60K, sources: {mine: {path: documents.jsonl, copies: 1}}}
grid: {include: [{mixture: pens}]}
rl:
  grpo: {problems: {set: train.jsonl, count: 32}}
  brief: {inherits: grpo, reward: {correct: 1.0, brief: 0.2}}
evaluate: {sets: [test.jsonl], count: 8}
probe: null
"""
OWN_MODEL = """
import shutil
from pathlib import Path
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
(tokenizer,) = Path("runs/demo/artifacts").glob("tokenizer-*")
vocab_size = len(AutoTokenizer.from_pretrained(tokenizer))
config = Qwen2Config(vocab_size=vocab_size, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512)
Qwen2ForCausalLM(config).save_pretrained("qwen-like")
for file in tokenizer.glob("tokenizer*.json"):
    shutil.copy(file, "qwen-like")
"""
SMALL_RL = (
    "rl.grpo.steps=2",
    "rl.grpo.prompts_per_step=4",
    "rl.grpo.samples_per_prompt=4",
    "rl.grpo.max_new_tokens=24",
    "rl.grpo.problems.count=16",
    "evaluate.count=8",
    "evaluate.max_new_tokens=24",
    "evaluate.samples.ends=4",
)


@dataclass(frozen=True)
class Step:
    """One thing that a reader does."""

    name: str
    work: Callable[["Walk"], str]
    """Does it, and returns what was seen."""


class Walk:
    """The clone, its environment, and how commands are run there."""

    def __init__(self, folder: Path, demo: str, make: list[str]) -> None:
        self.folder, self.demo, self.make_variables = folder, demo, make

    def run(self, *command: str, more: dict[str, str] | None = None) -> str:
        """Standard output of a command in the clone; ends the walk where the command fails."""
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=os.environ | (more or {})
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)[:200]}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def tool(self, name: str) -> str:
        """A program of the clone's environment."""
        return str(self.folder / ".venv" / "bin" / name)

    def make(self, target: str) -> str:
        """`make TARGET` in the clone."""
        return self.run("make", target, f"PYTHON={sys.executable}", *self.make_variables)

    def echochamber(self, *arguments: str, **settings: dict[str, str]) -> str:
        """The command of the clone."""
        return self.run(self.tool("echochamber"), *arguments, **settings)

    def page_text(self, path: Path) -> str:
        """What a browser has of a page once its scripts have run; empty without a browser."""
        browser = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser is None:
            return ""
        address = path.resolve().as_uri()
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000")
        return self.run(browser, *options, "--dump-dom", address)

    def opened(self, path: Path, word: str) -> str:
        """Opens a page and looks for a word that its scripts or its text must show."""
        text = self.page_text(path)
        if not text:
            return "no browser here"
        if word not in text:
            raise SystemExit(f"{path}: a browser does not show {word!r}")
        return f"{path.name} shows {word!r}"


def install(walk: Walk) -> str:
    """The package into the clone's own environment."""
    walk.make(".venv/.installed")
    return walk.echochamber("--version").strip()


def demonstration(walk: Walk) -> str:
    """A study to its page."""
    printed = walk.echochamber("study", walk.demo, "--quiet", "--out", "runs/demo")
    return printed.splitlines()[0]


def page(walk: Walk) -> str:
    """The page in a browser."""
    return walk.opened(walk.folder / "runs" / "demo" / "report.html", "Completions, before and after")


def own_data(walk: Walk) -> str:
    """Problems, documents and a reward of one's own, to a page."""
    walk.run(walk.tool("python"), "-c", OWN_DATA)
    (walk.folder / "reward.py").write_text(OWN_REWARD)
    (walk.folder / "mine.yaml").write_text(OWN_RECIPE)
    walk.echochamber("study", "mine.yaml", "--quiet", "--out", "runs/mine")
    return walk.opened(walk.folder / "runs" / "mine" / "report.html", "brief")


def own_model(walk: Walk) -> str:
    """A folder of another family's architecture, untrained, to a page of three arms."""
    walk.run(walk.tool("python"), "-m", "pip", "install", "--quiet", "-c", "constraints.txt", ".[hf]")
    walk.run(walk.tool("python"), "-c", OWN_MODEL)
    recipe = "examples/own-model/recipe.yaml"
    walk.echochamber("rl", recipe, *SMALL_RL, "--base", "qwen-like", "--quiet", "--out", "runs/own-model")
    return walk.opened(walk.folder / "runs" / "own-model" / "report.html", "expert_iteration")


def wandb(walk: Walk) -> str:
    """The demonstration's logs as an offline run of W&B."""
    walk.run(walk.tool("python"), "-m", "pip", "install", "--quiet", "wandb>=0.31")
    walk.echochamber("track", "runs/demo", "--to", "wandb", more={"WANDB_MODE": "offline"})
    files = list(walk.folder.rglob("*.wandb"))
    if not files:
        raise SystemExit("no *.wandb file was written")
    return f"{len(files)} offline runs"


def documentation(walk: Walk) -> str:
    """The documentation site, built and opened."""
    walk.make("docs")
    site = walk.folder / "build" / "site"
    walk.opened(site / "example" / "report.html", "Completions, before and after")
    return walk.opened(site / "index.html", "Where to go next")


STEPS = (
    Step("install", install),
    Step("demonstration", demonstration),
    Step("its page, opened", page),
    Step("own problems, documents and reward", own_data),
    Step("a model of one's own", own_model),
    Step("W&B offline", wandb),
    Step("documentation site, opened", documentation),
)


def seconds() -> float:
    """Processor time of everything that was started, so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--into", type=Path, help="where the clone is made, or goes on; default: a new folder"
    )
    parser.add_argument("--demo", default="smoke", help="recipe of the demonstration")
    parser.add_argument("--make", action="append", default=[], metavar="NAME=VALUE", help="variables of make")
    chosen = parser.parse_args()
    folder = (chosen.into or Path(tempfile.mkdtemp(prefix="walk-")) / "clone").resolve()
    if not folder.exists():
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    walk, total = Walk(folder, chosen.demo, chosen.make), time.monotonic()
    print(f"| step | minutes | processor seconds | seen |\n|---|---|---|---|  {folder}", flush=True)
    for step in STEPS:
        started, used = time.monotonic(), seconds()
        seen = step.work(walk)
        minutes = (time.monotonic() - started) / 60
        print(f"| {step.name} | {minutes:.1f} | {seconds() - used:.0f} | {seen} |", flush=True)
    print(f"| all | {(time.monotonic() - total) / 60:.1f} | {seconds():.0f} | |")


if __name__ == "__main__":
    main()
