// The view of one's own sessions. Whatever comes from elsewhere becomes text, never markup.
const at = (id) => document.getElementById(id);
const lang = document.documentElement.lang;
const API = "/api/v2/me";
const ask = (path, method = "GET") => fetch(path, { method, cache: "no-store", credentials: "same-origin" });

let words = {};
const say = (key, ...values) => words[key].replace(/\{(\d)\}/g, (_, place) => values[place]);
const tell = (key, ...values) => { at("status").textContent = key ? say(key, ...values) : ""; };

const make = (tag, text, properties = {}) => Object.assign(document.createElement(tag), { textContent: text }, properties);
const when = (text) => new Date(text).toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });

function entry(session) {
  const item = make("li", "", { className: session.current ? "current" : "" });
  const name = session.agent ?? words.unknownClient;
  const address = session.client ?? words.unknownAddress;
  const about = make("div", "");
  about.append(
    make("h3", `${name} · ${address}`),
    make("p", `${words.started}: ${when(session.created)}`),
    make("p", `${words.lastUsed}: ${when(session.last_used)}`),
  );
  item.append(about);
  if (session.current) {
    item.append(make("span", words.thisOne, { className: "badge" }));
  } else {
    const button = make("button", words.end, { type: "button" });
    button.setAttribute("aria-label", say("endOne", `${name}, ${address}, ${when(session.created)}`));
    button.addEventListener("click", () => act(async () => {
      const answer = await ask(`${API}/sessions/${encodeURIComponent(session.fingerprint)}`, "DELETE");
      // 404: it has ended by itself.
      if (!answer.ok && answer.status !== 404) throw answer;
      await show();
      at("sessions-heading").focus();
      tell("ended");
    }));
    item.append(button);
  }
  return item;
}

function signedOut() {
  at("sessions").hidden = true;
  at("list").replaceChildren();
  at("who").textContent = "";
  at("signin").hidden = false;
}

// True if somebody is signed in; their sessions are shown then.
async function show() {
  const answer = await ask(`${API}/sessions`);
  if (answer.status === 401) {
    signedOut();
    return false;
  }
  if (!answer.ok) throw answer;
  const { sessions } = await answer.json();
  at("who").textContent = sessions[0].user;
  at("list").replaceChildren(...sessions.map(entry));
  at("others").hidden = sessions.length < 2;
  at("signin").hidden = true;
  at("sessions").hidden = false;
  return true;
}

async function act(work) {
  tell();
  try {
    await work();
  } catch {
    tell("failed");
  }
}

at("signout").addEventListener("click", () => act(async () => {
  const answer = await ask("/api/v2/signout", "POST");
  if (!answer.ok && answer.status !== 401) throw answer;
  signedOut();
  tell("signedOut");
  at("name").focus();
}));
at("others").addEventListener("click", () => act(async () => {
  const answer = await ask(`${API}/sessions`, "DELETE");
  if (!answer.ok) throw answer;
  const { revoked } = await answer.json();
  await show();
  at("sessions-heading").focus();
  tell("endedOthers", revoked);
}));
// A page that the browser has kept may show what is over.
addEventListener("pageshow", (event) => { if (event.persisted) act(show); });
addEventListener("pagehide", () => at("list").replaceChildren());

try {
  words = await (await ask(`/gateway/${lang}.json`)).json();
  const isSignedIn = await show();
  if (!isSignedIn && !at("error")) at("name").focus();
} catch {
  at("status").textContent = words.failed ?? "";
}
