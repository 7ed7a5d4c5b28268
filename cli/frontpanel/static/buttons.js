// Buttons that are down for as long as a finger is: by mouse, touch, key or screen reader.

import { say } from "./server.js";

const KEYS = { KeyC: "consent", KeyV: "capture" };
const TAP = 120;  // milliseconds, for a click that has no length, as a screen reader's

const keys = document.getElementById("keys");
const held = new Map();  // line -> how many fingers (pointer, key) are on it
let queue = Promise.resolve();

function order(line, down) {
  queue = queue.then(() => say("button", { line, down }));
}

function press(lines) {
  for (const line of lines) {
    const fingers = held.get(line) ?? 0;
    held.set(line, fingers + 1);
    if (fingers === 0) move(line, true);
  }
}

function release(lines) {
  for (const line of lines) {
    const fingers = held.get(line) ?? 0;
    if (fingers === 0) continue;
    held.set(line, fingers - 1);
    if (fingers === 1) move(line, false);
  }
}

function move(line, down) {
  order(line, down);
  document.querySelector(`.dome.${line}`).classList.toggle("down", down);
}

function watch(button) {
  const lines = button.dataset.lines.split(" ");
  const seconds = Number(button.dataset.seconds ?? 0);
  let down = false, silent = false;

  const begin = () => {
    if (down) return;
    down = true;
    button.classList.add("down");
    press(lines);
  };
  const end = () => {
    if (!down) return;
    down = false;
    button.classList.remove("down");
    release(lines);
  };
  const tap = (milliseconds) => { begin(); setTimeout(end, milliseconds); };

  if (seconds) {
    button.addEventListener("click", () => tap(seconds * 1000));
    return;
  }
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    silent = true;
    begin();
  });
  for (const over of ["pointerup", "pointercancel", "lostpointercapture"]) {
    button.addEventListener(over, end);
  }
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) begin();
  });
  button.addEventListener("keyup", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    end();
  });
  button.addEventListener("blur", end);
  button.addEventListener("click", () => {
    if (!silent) tap(TAP);
    silent = false;
  });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}

function watchKeys() {
  const down = new Set();
  const busy = (target) => target.matches?.("input:not([type=checkbox]):not([type=radio]), select, textarea");
  const all = () => {
    for (const line of down) release([line]);
    down.clear();
  };
  addEventListener("keydown", (event) => {
    const line = KEYS[event.code];
    if (!line || !keys.checked || event.repeat || event.ctrlKey || event.metaKey || event.altKey || busy(event.target)) return;
    if (down.has(line)) return;
    down.add(line);
    press([line]);
  });
  addEventListener("keyup", (event) => {
    const line = KEYS[event.code];
    if (line && down.delete(line)) release([line]);
  });
  addEventListener("blur", all);
  addEventListener("pagehide", all);
}

export function watchButtons() {
  document.querySelectorAll("[data-lines]").forEach(watch);
  watchKeys();
}
