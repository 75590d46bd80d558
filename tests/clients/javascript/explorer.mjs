// Pages of a stand-in for InfluxDB 3's Explorer, by way of the gateway, in a real browser: signing in, a WebSocket, a form,
// a page of somebody else on the same machine, signing out.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { GATEWAY_PASSWORD, GATEWAY_URL, GATEWAY_USER, launch, open, submit } from "./page.mjs";

const { EXPLORER_PORT } = process.env;

const PAGE = `<!doctype html><title>Explorer</title><link rel="icon" href="data:,"><p id="said">nothing</p><script>
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
  const say = (text) => (document.getElementById("said").textContent = text);
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => say(data);
  socket.onclose = () => say("closed");
</script>`;

/** What a WebSocket is told, said again: short texts only. */
function echo(request, socket) {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write([...head, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"));
  socket.on("data", (frame) => {
    if (frame[0] !== 0x81) {
      return socket.end();
    }
    const mask = frame.subarray(2, 6);
    const text = frame.subarray(6).map((byte, index) => byte ^ mask[index % 4]);
    const reply = Buffer.from(`echo: ${text}`);
    socket.write(Buffer.concat([Buffer.from([0x81, reply.length]), reply]));
  });
  socket.on("error", () => {});
}

const seen = [];
const explorer = createServer((request, response) => {
  seen.push(`${request.method} ${request.url} ${request.headers["x-forwarded-user"] ?? "nobody"}`);
  response.setHeader("Content-Type", "text/html");
  response.end(PAGE);
});
explorer.on("upgrade", echo);
explorer.listen(Number(EXPLORER_PORT), "127.0.0.1");

const other = createServer((_, response) => {
  response.setHeader("Content-Type", "text/html");
  response.end('<!doctype html><title>other</title><link rel="icon" href="data:,">');
}).listen(0, "127.0.0.1");

const browser = await launch();
try {
  const { context, page } = await open(browser, { locale: "en" });
  const at = (tab) => tab.url().replace(GATEWAY_URL, "");
  const said = async (tab, text) => {
    await tab.waitForFunction((wanted) => document.getElementById("said")?.textContent === wanted, text);
    return text;
  };
  await page.goto(`${GATEWAY_URL}/tables?db=a`);
  console.log(`without a session: ${at(page)}`);
  await submit(page, GATEWAY_USER, GATEWAY_PASSWORD);
  await page.waitForURL("**/tables?db=a");
  console.log(`signed in: ${at(page)}, ${await said(page, "echo: hello")}`);
  const save = () => fetch("/save", { method: "POST", body: "a=b" }).then(({ status }) => status);
  console.log(`a form: ${await page.evaluate(save)}`);

  // The same machine is the same site, so the cookie comes along: what is refused is refused for the origin.
  const stranger = await context.newPage();
  await stranger.goto(`http://127.0.0.1:${other.address().port}/`);
  const socket = (url) =>
    new Promise((resolve) => {
      const it = new WebSocket(url);
      it.onopen = () => resolve("open");
      it.onerror = () => resolve("refused");
    });
  const send = (url) =>
    fetch(url, { method: "POST", mode: "no-cors", credentials: "include" }).then(() => "sent");
  const ws = `${GATEWAY_URL.replace("http", "ws")}/ws`;
  const before = seen.length;
  console.log(`a stranger's socket: ${await stranger.evaluate(socket, ws)}`);
  console.log(`a stranger's form: ${await stranger.evaluate(send, `${GATEWAY_URL}/save`)}, ${seen.length - before} came`);

  // In another tab, as people do.
  const second = await context.newPage();
  await second.goto(`${GATEWAY_URL}/`);
  console.log(`another tab: ${await said(second, "echo: hello")}`);
  const signOut = () => fetch("/api/v2/signout", { method: "POST" }).then(({ status }) => status);
  console.log(`sign out: ${await second.evaluate(signOut)}, ${await said(page, "closed")}`);
  await page.reload();
  console.log(`afterwards: ${at(page)}`);
  console.log(`seen: ${[...new Set(seen)].join(", ")}`);
} finally {
  await browser.close();
  explorer.close();
  explorer.closeAllConnections();
  other.close();
  other.closeAllConnections();
}
