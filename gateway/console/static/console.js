// Two things that HTML alone does not do: an open page stays true, and a photo can be zoomed.
"use strict";

const live = () => document.querySelector("[data-live]");
const said = (words) => { document.getElementById("said").textContent = words; };

// The server says when a list might look different; the page then fetches itself and puts the
// new part in place, unless a person is just typing there.
async function renew() {
  const old = live();
  if (!old || old.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) return;
  const answer = await fetch(location.href, { headers: { "X-Renew": "1" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  if (!fresh || fresh.innerHTML === old.innerHTML) return;
  const id = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.replaceWith(fresh);
  if (id) [...fresh.querySelectorAll("a")].find((a) => a.getAttribute("href") === id)?.focus();
  viewers();
  said("The page has been brought up to date.");
}

function listen(known = null) {
  if (!live()) return;
  const events = new EventSource("/events");
  events.addEventListener("version", (event) => {
    if (known !== null && known !== event.data) renew();
    known = event.data;
  });
  events.addEventListener("signed-out", () => { events.close(); location.reload(); });
  // Refused, as where too many pages are open: a browser does not come back by itself then.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 30000, known);
  });
}

function viewers() {
  for (const viewer of document.querySelectorAll("[data-viewer]")) {
    const pane = viewer.querySelector(".pane"), sheet = viewer.querySelector(".sheet");
    if (!pane || pane.dataset.ready) continue;
    pane.dataset.ready = "1";
    let zoom = 1;
    const show = (next) => {
      const before = zoom;
      zoom = Math.min(8, Math.max(1, next));
      const x = (pane.scrollLeft + pane.clientWidth / 2) / before, y = (pane.scrollTop + pane.clientHeight / 2) / before;
      sheet.style.width = `${zoom * 100}%`;
      pane.scrollTo(x * zoom - pane.clientWidth / 2, y * zoom - pane.clientHeight / 2);
      said(`Shown ${Math.round(zoom * 10) / 10} times the whole.`);
    };
    const act = { in: () => show(zoom * 1.5), out: () => show(zoom / 1.5), whole: () => show(1) };
    viewer.addEventListener("click", (event) => act[event.target.dataset?.zoom]?.());
    pane.addEventListener("keydown", (event) => {
      const key = { "+": "in", "=": "in", "-": "out", "0": "whole" }[event.key];
      if (key) { act[key](); event.preventDefault(); }
    });
  }
}

viewers();
listen();
