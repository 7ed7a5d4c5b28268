// A part of the picture is marked by dragging or with the arrow keys; the four numbers say where.
// The server takes it out; without this script the numbers are typed.
"use strict";

const take = document.querySelector("[data-take]");
const fields = Object.fromEntries(["x", "y", "w", "h"].map((id) => [id, document.getElementById(id)]));
const rect = take.querySelector("rect"), image = take.querySelector("img");
const numbers = document.querySelector(".numbers");
const offset = { x: Number(numbers.dataset.offsetX), y: Number(numbers.dataset.offsetY) };
const size = { w: Number(image.getAttribute("width")), h: Number(image.getAttribute("height")) };
const between = (low, value, high) => Math.round(Math.min(high, Math.max(low, value)));

function mark(x, y, w, h) {
  x = between(0, x, size.w - 1);
  y = between(0, y, size.h - 1);
  w = between(1, w, size.w - x);
  h = between(1, h, size.h - y);
  fields.x.value = x + offset.x;
  fields.y.value = y + offset.y;
  fields.w.value = w;
  fields.h.value = h;
  draw();
}

function marked() {
  return [Number(fields.x.value) - offset.x, Number(fields.y.value) - offset.y, Number(fields.w.value), Number(fields.h.value)];
}

function draw() {
  const [x, y, w, h] = marked();
  for (const [name, value] of Object.entries({ x, y, width: Math.max(0, w), height: Math.max(0, h) })) rect.setAttribute(name, value || 0);
}

const at = (event) => {
  const frame = image.getBoundingClientRect();
  return [(event.clientX - frame.left) / frame.width * size.w, (event.clientY - frame.top) / frame.height * size.h];
};

let from = null;
take.addEventListener("pointerdown", (event) => { from = at(event); take.setPointerCapture(event.pointerId); });
take.addEventListener("pointermove", (event) => {
  if (!from) return;
  const [x, y] = at(event);
  mark(Math.min(x, from[0]), Math.min(y, from[1]), Math.abs(x - from[0]), Math.abs(y - from[1]));
});
take.addEventListener("pointerup", () => { from = null; });
image.draggable = false;

take.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  const by = Math.max(1, Math.round(size.w / 50));
  let [x, y, w, h] = marked();
  if (!(w > 0 && h > 0)) [x, y, w, h] = [size.w / 4, size.h / 4, size.w / 4, size.h / 4];
  else if (event.shiftKey) [w, h] = [w + step[0] * by, h + step[1] * by];
  else [x, y] = [x + step[0] * by, y + step[1] * by];
  mark(x, y, w, h);
  said(`Left ${fields.x.value}, top ${fields.y.value}, ${fields.w.value} wide, ${fields.h.value} high.`);
});
for (const field of Object.values(fields)) field.addEventListener("input", draw);
