// One's own sessions, without a new page for each step. Whatever comes from elsewhere becomes text, never markup.
const at = (id) => document.getElementById(id);
const { lang } = document.documentElement;
// The browser's own way to write times, if it is of this language.
const locale = navigator.languages.find((tag) => tag.split("-")[0] === lang) ?? lang;
const SESSIONS = "/api/v2/me/sessions";
const BROWSERS = ["Chrome", "Edge", "Firefox", "Mozilla", "Opera", "Safari"];
const ask = (path, method = "GET") => fetch(path, { method, cache: "no-store", credentials: "same-origin" });

let words = {};
const tell = (key) => Object.assign(at("status"), {
  textContent: words[key] ?? "",
  className: key === "failed" ? "error" : "",
});

const when = (text) => new Date(text).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });

// How long ago that was; the time itself if it was long ago.
function ago(text) {
  const minutes = Math.round((Date.now() - new Date(text)) / 60000);
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (minutes < 60) return relative.format(-Math.max(minutes, 0), "minute");
  return minutes < 48 * 60 ? relative.format(-Math.round(minutes / 60), "hour") : when(text);
}

function entry(session) {
  const item = at("entry").content.firstElementChild.cloneNode(true);
  const find = (selector) => item.querySelector(selector);
  const name = session.agent ?? words.unknownClient;
  const address = session.client ?? words.unknownAddress;
  find("use").setAttribute("href", BROWSERS.includes(name) ? "#browser" : "#program");
  find("h2").textContent = name;
  find(".address").textContent = address;
  const [created, used] = item.querySelectorAll("time");
  Object.assign(created, { dateTime: session.created, textContent: when(session.created) });
  Object.assign(used, { dateTime: session.last_used, textContent: ago(session.last_used), title: when(session.last_used) });
  const button = find("button");
  button.value = session.fingerprint;
  button.setAttribute("aria-label", words.endOne.replace("{0}", `${name}, ${address}, ${when(session.created)}`));
  if (session.current) item.className = "current";
  button.hidden = session.current;
  find(".badge").hidden = !session.current;
  return item;
}

// Shows one of the two views, under its title. Nothing is left of whoever was signed in.
function turn(view) {
  for (const other of ["signin", "sessions"]) at(other).hidden = other !== view;
  document.title = `${at(`${view}-heading`).textContent} · ${document.body.dataset.title}`;
  if (view === "signin") clear();
}

function clear() {
  at("list").replaceChildren();
  at("who").textContent = at("initial").textContent = "";
}

// Where to begin with signing in.
const begin = () => (at(at("error") ? "password" : "name") ?? document.querySelector(".providers a"))?.focus();

// True if somebody is signed in; their sessions are shown then.
async function show() {
  const answer = await ask(SESSIONS);
  if (answer.status === 401) {
    turn("signin");
    return false;
  }
  if (!answer.ok) throw answer;
  const { sessions } = await answer.json();
  const { user } = sessions[0];
  at("who").textContent = user;
  at("initial").textContent = [...user][0].toUpperCase();
  at("list").replaceChildren(...sessions.map(entry));
  at("others").hidden = sessions.length < 2;
  turn("sessions");
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

async function end(path, said) {
  const answer = await ask(path, "DELETE");
  // 401 and 404: it has ended by itself.
  if (!answer.ok && answer.status !== 404 && answer.status !== 401) throw answer;
  if (!(await show())) return begin();
  at("sessions-heading").focus();
  tell(said);
}

async function signOut() {
  // Where one signs out of the provider too, if one came by one that wants it.
  const { provider } = await (await ask("/api/v2/me/provider")).json();
  const answer = await ask("/api/v2/signout", "POST");
  if (!answer.ok && answer.status !== 401) throw answer;
  turn("signin");
  if (provider?.sign_out) return location.assign(provider.sign_out);
  tell("signedOut");
  // Whoever reloads stays here.
  history.replaceState(null, "", new URL(`./?lang=${lang}&said=signedOut`, import.meta.url));
  begin();
}

const deeds = {
  end: (fingerprint) => end(`${SESSIONS}/${encodeURIComponent(fingerprint)}`, "ended"),
  others: () => end(SESSIONS, "othersEnded"),
  signout: signOut,
};
at("sessions").addEventListener("submit", (event) => {
  event.preventDefault();
  act(() => deeds[event.submitter.name](event.submitter.value));
});
// A page that the browser has kept may show what is over.
addEventListener("pagehide", clear);
addEventListener("pageshow", (event) => { if (event.persisted) act(show); });

try {
  words = await (await ask(new URL(`${lang}.json`, import.meta.url))).json();
  if (!(await show())) begin();
} catch {
  tell("failed");
}
