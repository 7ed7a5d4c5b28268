// Screen, lamp and buzzer as they are.

import { play } from "./sound.js";

const WIDTH = 128, HEIGHT = 64;
const LIT = [217, 241, 255], DARK = [5, 8, 10];
const COUNTDOWN = /^\d+ S$/;

const canvas = document.getElementById("oled");
const context = canvas.getContext("2d");
const image = context.createImageData(WIDTH, HEIGHT);
const lamp = document.getElementById("lamp");
const lampWords = document.getElementById("lamp-words");
const buzzer = document.getElementById("buzzer");
const buzzerWords = document.getElementById("buzzer-words");
const spoken = document.getElementById("spoken");

const SOUNDS = {
  "": "Silent", opened: "Open", kept: "Kept", poor: "Poor", closed: "Closed", done: "Done",
  refused: "Refused", menu: "Menu", bad: "Bad news",
};

let picture = "", sounding = "";

function draw(base64) {
  if (base64 === picture) return;
  picture = base64;
  const bits = atob(base64);
  for (let at = 0; at < WIDTH * HEIGHT; at++) {
    const lit = bits.charCodeAt(at >> 3) >> (7 - (at & 7)) & 1;
    image.data.set([...(lit ? LIT : DARK), 255], at * 4);
  }
  context.putImageData(image, 0, 0);
}

export function showDevice(view) {
  draw(view.picture);
  const dark = !view.screen || !view.alive;
  // A countdown would be read out every second.
  const words = view.words.filter((word) => !COUNTDOWN.test(word)).join(" · ");
  const seen = dark || !words ? "The screen is dark." : words;
  if (spoken.textContent !== seen) spoken.textContent = seen;
  canvas.setAttribute("aria-label", dark || !words ? seen : `The device’s screen: ${words}`);
  lamp.classList.toggle("on", view.lamp);
  const tells = view.lamp ? "Lamp on" : "Lamp off";
  if (lampWords.textContent !== tells) lampWords.textContent = tells;
  buzzer.classList.toggle("on", view.buzzer !== "");
  buzzerWords.textContent = SOUNDS[view.buzzer] ?? view.buzzer;
  if (view.buzzer !== sounding) {
    sounding = view.buzzer;
    if (sounding) play(view.sound);
  }
}
