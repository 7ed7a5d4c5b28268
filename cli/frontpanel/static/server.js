// Saying something to the server; what it refuses is shown in its own words, and is null here.

const trouble = document.getElementById("trouble");
let hide = 0;

export function complain(words) {
  trouble.textContent = words;
  trouble.hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => { trouble.hidden = true; }, 8000);
}

async function post(path, body, type) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", body, headers: { "content-type": type }, keepalive: type === "application/json" });
  } catch {
    complain("The demo does not answer. Has it ended?");
    return null;
  }
  if (answer.status === 204) return {};
  if (answer.ok) return answer.json();
  const text = await answer.text();
  try {
    complain(JSON.parse(text).error);
  } catch {
    complain(text);
  }
  return null;
}

export const say = (path, wish) => post(path, JSON.stringify(wish), "application/json");

export const send = (source, picture) =>
  post(`picture?source=${source}`, picture, picture.type || "application/octet-stream");
