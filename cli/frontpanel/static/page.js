// The page: what the server tells goes to the parts, what somebody does goes to the server.

import { showDevice } from "./device.js";
import { watchButtons } from "./buttons.js";
import { showSite, watchSite } from "./site.js";
import { showHospital } from "./hospital.js";

const link = document.getElementById("link");

function says(words, mood) {
  if (link.textContent !== words) link.textContent = words;
  link.className = `link ${mood}`;
}

function device(view) {
  showDevice(view);
  if (!view.alive) says("The device is off or starting", "bad");
  else says(view.online ? "The device is online" : "The device is offline", view.online ? "good" : "bad");
}

function listen() {
  const live = new EventSource("live");
  const shows = { device, site: showSite, hospital: showHospital };
  for (const [topic, show] of Object.entries(shows)) {
    live.addEventListener(topic, (event) => show(JSON.parse(event.data)));
  }
  // The browser tries again by itself; after a restart of the demo the address is another one.
  live.onerror = () => says("The demo has ended, or is busy", "bad");
  addEventListener("pagehide", () => live.close());
}

watchButtons();
watchSite();
listen();
