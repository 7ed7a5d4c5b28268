// What the hospital received. Everything from outside is text, never markup.

const photos = document.getElementById("photos");
const work = document.getElementById("work");
const news = document.getElementById("news");
const known = new Map();  // photo id -> its list item
let told = false;

const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString("en-GB");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function fact(list, name, value) {
  if (value) list.append(element("dt", name), value instanceof Node ? wrap(value) : element("dd", value));
}

function wrap(node) {
  const made = element("dd");
  made.append(node);
  return made;
}

const MEANS = {
  FILED: "in the record", HELD: "safe, and a person has to look at it", REJECTED: "could not be taken",
  UNDONE: "consent was withdrawn", ARRIVING: "on its way in",
};

function card(photo) {
  const item = element("li", undefined, `photo ${photo.status.toLowerCase()}`);
  if (photo.picture) {
    const way = element("a"), image = element("img");
    Object.assign(way, { href: `photos/${photo.id}`, target: "_blank", rel: "noopener" });
    image.src = `photos/${photo.id}/small`;
    image.alt = `Photo taken at ${clock(photo.captured_ms)}, whole size`;
    way.append(image);
    item.append(way);
  } else {
    item.append(element("p", "No picture is shown: it is not in the record.", "nothing"));
  }
  const facts = element("div", undefined, "facts"), list = element("dl");
  facts.append(element("span", photo.status, `badge ${photo.status.toLowerCase()}`), ` ${MEANS[photo.status] ?? ""}`);
  fact(list, "Taken", clock(photo.captured_ms));
  fact(list, "Receipt", photo.status === "ARRIVING" ? "" : `signed ${clock(photo.changed_ms)}`);
  fact(list, "Bed", photo.bed);
  fact(list, "Consent", photo.level);
  fact(list, "Quality", photo.poor.join(", "));
  fact(list, "Label", photo.label);
  fact(list, "Why", photo.reason);
  fact(list, "Record", photo.status === "UNDONE" ? photo.record : "");
  fact(list, "Id", element("code", `${photo.id.slice(0, 16)}…`));
  facts.append(list);
  item.append(facts);
  return item;
}

function showPhotos(shown) {
  const ids = new Set(shown.map((photo) => photo.id));
  for (const [id, { item }] of known) {
    if (!ids.has(id)) { item.remove(); known.delete(id); }
  }
  shown.forEach((photo, place) => {
    const text = JSON.stringify(photo), before = known.get(photo.id);
    if (before?.text !== text) {
      const item = card(photo);
      if (before) before.item.replaceWith(item);
      known.set(photo.id, { item, text });
      if (told) news.textContent = `At the hospital: a photo is ${photo.status}`;
    }
    const { item } = known.get(photo.id);
    if (photos.children[place] !== item) photos.insertBefore(item, photos.children[place] ?? null);
  });
  document.getElementById("photo-count").textContent = shown.length;
  document.getElementById("no-photos").hidden = shown.length > 0;
}

function showWork(items) {
  work.replaceChildren(...items.map((item) => {
    const row = element("li", undefined, item.kind.toLowerCase());
    row.append(
      element("span", item.kind, `badge ${item.kind.toLowerCase()}`), ` ${item.why} `,
      element("small", `${item.subject.slice(0, 16)}${item.subject.length > 16 ? "…" : ""}, since ${clock(item.opened_ms)}`),
    );
    return row;
  }));
  document.getElementById("work-count").textContent = items.length;
  document.getElementById("no-work").hidden = items.length > 0;
}

export function showHospital(hospital) {
  showPhotos(hospital.photos);
  showWork(hospital.worklist);
  told = true;
}
