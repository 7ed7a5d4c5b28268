"use strict";
const sealed = JSON.parse(document.getElementById("sealed").textContent);
const said = (words) => { document.getElementById("said").textContent = words; };
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function decrypt(phrase) {
  const spelled = phrase.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean).join(" ");
  const base = await crypto.subtle.importKey("raw", new TextEncoder().encode(spelled), "PBKDF2", false, ["deriveKey"]);
  const key = await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt: bytes(sealed.salt), iterations: sealed.rounds },
    base, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  const format = new TextEncoder().encode("wardseal-share/1");
  return crypto.subtle.decrypt(
    { name: "AES-GCM", iv: bytes(sealed.nonce), additionalData: format }, key, bytes(sealed.sealed));
}

function show(plain) {
  const length = new DataView(plain).getUint32(0);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(plain, 4, length)));
  const picture = new Blob([new Uint8Array(plain, 4 + length)], { type: "image/jpeg" });
  document.getElementById("picture").src = URL.createObjectURL(picture);
  for (const [name, text] of facts) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = text;
    document.getElementById("facts").append(dt, dd);
  }
  document.getElementById("open").hidden = true;
  document.getElementById("shown").hidden = false;
}

document.getElementById("open").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!globalThis.crypto?.subtle) {
    said("This browser cannot open it here. Save the file and open it in a desktop browser: Firefox, Chrome or Edge.");
    return;
  }
  said("Opening …");
  try {
    show(await decrypt(document.getElementById("phrase").value));
  } catch {
    said("That is not the pass-phrase, or the file was changed on its way. Try again.");
  }
});
