// A loss curve as an SVG picture of its own.

const WIDTH = 600;
const HEIGHT = 120;
const PAD = 6;

const node = (tag, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

export class Curve {
  #points = [];
  #line = node("polyline", { class: "loss", "vector-effect": "non-scaling-stroke" });
  #due = false;

  constructor() {
    this.node = node("svg", { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", hidden: "" });
    for (const share of [0.25, 0.5, 0.75]) this.node.append(node("path", { class: "rule", d: `M0 ${HEIGHT * share}H${WIDTH}`, "vector-effect": "non-scaling-stroke" }));
    this.node.append(this.#line);
  }

  // A job that goes on from a checkpoint takes its last steps again: what it says later holds.
  add(step, loss) {
    while (this.#points.length && this.#points.at(-1).step >= step) this.#points.pop();
    this.#points.push({ step, loss });
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.#draw(); });
  }

  #draw() {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    const losses = this.#points.map((point) => point.loss);
    const [low, high] = [Math.min(...losses), Math.max(...losses)];
    const x = (step) => PAD + ((step - first.step) / Math.max(1, last.step - first.step)) * (WIDTH - 2 * PAD);
    const y = (loss) => HEIGHT - PAD - ((loss - low) / (high - low || 1)) * (HEIGHT - 2 * PAD);
    this.node.removeAttribute("hidden");
    // A line needs two points.
    const drawn = this.#points.length > 1 ? this.#points : [first, { step: first.step + 1, loss: first.loss }];
    this.#line.setAttribute("points", drawn.map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" "));
    this.node.setAttribute("aria-label", `Loss ${first.loss.toFixed(4)} at step ${first.step}, ${last.loss.toFixed(4)} at step ${last.step}`);
  }
}
