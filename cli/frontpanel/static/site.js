// What stands in front of the camera, and the plugs.

import { complain, say, send } from "./server.js";

const TITLES = { "retina.jpg": "Retina", "coffee.png": "Coffee cup" };
const EVERY = 1000;  // milliseconds between two pictures of the webcam, while the lamp is on

const scenes = document.getElementById("scenes");
const props = document.getElementById("props");
const words = document.getElementById("scene-words");
const webcam = document.getElementById("webcam");
const mirror = document.getElementById("mirror");
const lamp = document.getElementById("lamp");

function choice(kind, group, value, title, picture) {
  const label = document.createElement("label"), input = document.createElement("input");
  const image = document.createElement("img"), name = document.createElement("span");
  label.className = "choice";
  Object.assign(input, { type: kind, name: group, value });
  Object.assign(image, { src: picture, alt: "" });
  name.textContent = title;
  label.append(image, input, name);
  return label;
}

function boxes(group) {
  return [...document.querySelectorAll(`input[name="${group}"]`)];
}

function title(name) {
  return TITLES[name] ?? name.replace(/\.\w+$/, "").replace(/[-_]/g, " ");
}

// What somebody has just chosen stands until the server has answered: news from before would
// take it back for a moment.
let asked = 0, latest = { version: 0 };

async function change(ask) {
  asked += 1;
  const site = await ask;
  asked -= 1;
  if (site || latest.version) showSite(site ?? latest);
  return site !== null;
}

export function showSite(site) {
  if (asked || site.version < latest.version) return;
  latest = site;
  if (!scenes.childElementCount) {
    for (const name of site.scenes) {
      scenes.append(choice("radio", "scene", name, title(name), `scenes/${encodeURIComponent(name)}`));
    }
    for (const [name, its] of Object.entries(site.props)) {
      props.append(choice("checkbox", "prop", name, its, `props/${encodeURIComponent(name)}`));
    }
  }
  for (const box of boxes("scene")) box.checked = box.value === site.scene;
  for (const box of boxes("prop")) box.checked = site.held.includes(box.value);
  const own = { upload: "It sees your picture.", webcam: "It sees what your webcam sees.", file: `It sees ${site.file}.` };
  const now = own[site.scene] ?? "";
  if (words.textContent !== now) words.textContent = now;
  if (site.scene !== "webcam" && mirror.srcObject && started) stopWebcam();
  for (const [name, state] of Object.entries(site.plugs)) showPlug(name, state);
}

function showPlug(name, state) {
  const part = document.querySelector(`[data-plug="${name}"]`);
  const row = part.closest(".plug");
  if (part.matches("select")) {
    part.value = state;
    row.classList.toggle("bad", part.selectedIndex !== 0);
    return;
  }
  part.setAttribute("aria-checked", String(state === part.dataset.good));
  for (const text of row.querySelectorAll("[data-when]")) text.hidden = text.dataset.when !== state;
}

// -- the webcam: its pictures leave the page only while the lamp is on, and one to begin with

let timer = 0, started = false;

async function startWebcam() {
  try {
    mirror.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 960 }, audio: false });
  } catch (error) {
    complain(`The webcam cannot be used: ${error.message}`);
    return;
  }
  webcam.setAttribute("aria-pressed", "true");
  mirror.hidden = false;
  await mirror.play();
  started = await shoot();
  timer = setInterval(() => { if (lamp.classList.contains("on")) shoot(); }, EVERY);
}

function stopWebcam() {
  clearInterval(timer);
  started = false;
  mirror.srcObject?.getTracks().forEach((track) => track.stop());
  mirror.srcObject = null;
  mirror.hidden = true;
  webcam.setAttribute("aria-pressed", "false");
}

async function shoot() {
  if (!mirror.videoWidth) return false;
  const canvas = new OffscreenCanvas(mirror.videoWidth, mirror.videoHeight);
  canvas.getContext("2d").drawImage(mirror, 0, 0);
  return change(send("webcam", await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 })));
}

export function watchSite() {
  scenes.addEventListener("change", (event) => change(say("scene", { scene: event.target.value })));
  props.addEventListener("change", () =>
    change(say("hold", { held: boxes("prop").filter((box) => box.checked).map((box) => box.value) })));
  document.getElementById("upload").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await change(send("upload", file));
    event.target.value = "";
  });
  webcam.addEventListener("click", () => (mirror.srcObject ? stopWebcam() : startWebcam()));
  for (const part of document.querySelectorAll("[data-plug]")) {
    if (part.matches("select")) {
      part.addEventListener("change", () => change(say("plug", { name: part.dataset.plug, state: part.value })));
      continue;
    }
    part.addEventListener("click", async () => {
      if (part.getAttribute("aria-busy") === "true") return;
      const good = part.getAttribute("aria-checked") === "true";
      part.setAttribute("aria-busy", "true");
      await change(say("plug", { name: part.dataset.plug, state: good ? part.dataset.bad : part.dataset.good }));
      part.setAttribute("aria-busy", "false");
    });
  }
}
