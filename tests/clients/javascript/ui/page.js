// Asks what InfluxDB's own pages ask, in their order and in their way.

const byId = (id) => document.getElementById(id);

/** The status and the body of an answer, which is taken for JSON wherever it says so. */
async function ask(method, path, headers) {
  const answer = await fetch(path, { method, headers, credentials: "same-origin" });
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  return { status: answer.status, data: isJson ? await answer.json() : await answer.text() };
}

async function start() {
  const setup = await ask("GET", "/api/v2/setup");
  if (setup.status !== 200 || setup.data.allowed !== false) {
    throw new Error("is InfluxDB set up?");
  }
  if (location.pathname === "/signin") {
    byId("signin").hidden = false;
    return;
  }
  const me = await ask("GET", "/api/v2/me");
  if (me.status !== 200) {
    toSignIn();
    return;
  }
  await ask("GET", "/api/v2/flags");
  const { orgs } = (await ask("GET", "/api/v2/orgs")).data;
  const { buckets } = (await ask("GET", `/api/v2/buckets?orgID=${orgs[0].id}`)).data;
  const names = (all) => all.map((one) => one.name).sort().join(" ");
  byId("user").textContent = me.data.name;
  byId("orgs").textContent = names(orgs);
  byId("buckets").textContent = names(buckets);
  const query = `/api/v2/query?orgID=${orgs[0].id}`;
  byId("run").onclick = () => run(query);
  byId("download").action = query;
  const polling = setInterval(() => poll(polling), 60_000);
  if ("serviceWorker" in navigator) {
    await navigator.serviceWorker.register("/download.js");
    await navigator.serviceWorker.ready;
  }
  byId("home").hidden = false;
}

function toSignIn() {
  location.assign(`/signin?returnTo=${encodeURIComponent(location.pathname)}`);
}

/** Whether there is still a session. */
async function poll(polling) {
  const { status } = await ask("GET", "/api/v2/me");
  if (status === 401 || status === 500) {
    clearInterval(polling);
    toSignIn();
  }
  return status;
}

byId("signin").onsubmit = async (event) => {
  event.preventDefault();
  const { user, password } = Object.fromEntries(new FormData(event.target));
  try {
    const headers = { Authorization: `Basic ${btoa(`${user}:${password}`)}` };
    const { status } = await ask("POST", "/api/v2/signin", headers);
    if (status !== 204) {
      throw new Error(status);
    }
    location.assign(new URLSearchParams(location.search).get("returnTo") ?? "/");
  } catch {
    byId("refused").hidden = false;
  }
};

byId("signout").onclick = async () => {
  try {
    const { status } = await ask("POST", "/api/v2/signout");
    if (status !== 204) {
      throw new Error(status);
    }
    location.assign("/signin");
  } catch {
    byId("failed").hidden = false;
  }
};

/** Takes the answer piece by piece as it comes. */
async function run(path) {
  window.result = { pieces: 0, csv: "", ended: false };
  const dialect = { annotations: ["group", "datatype", "default"] };
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: window.query, dialect }),
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    window.result.pieces += 1;
    window.result.csv += piece.value;
  }
  window.result.ended = true;
}

// A form can only post a form; download.js makes a query of it.
byId("download").onsubmit = (event) => {
  event.target.data.value = JSON.stringify({ query: window.query, dialect: { annotations: [] } });
};

start();
