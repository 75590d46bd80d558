// The pages in `ui/` are used in a real browser. Prints what they asked, what they were answered and what they
// showed, a line for each step.
//
// SITES is a list: of each site its `base`, its `name` here, and where a query `held` back gets its last row.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { Site, launchOptions } from "./site.mjs";

const { SITES, USER_NAME, PASSWORD, OTHER_USER, OTHER_PASSWORD, STREAMED } = process.env;
const DASHBOARDS = "/orgs/1/dashboards";

/** All there is: a series of many rows, then one of a single row, which passes once `held` has answered. */
const query = (held) => `
import "http/requests"
from(bucket: "weather")
  |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-02T00:00:00Z)
  |> filter(fn: (r) => r.part != "last" or requests.get(url: "${held}/held").statusCode == 200)`;

async function visit(site, page) {
  await page.goto(`${site.base}${DASHBOARDS}`);
  await page.waitForSelector("#signin:visible");
  site.tell("visit", site.at(page));
}

async function signIn(page, user, password) {
  await page.fill("[name=user]", user);
  await page.fill("[name=password]", password);
  await page.click("#signin button");
}

async function refuse(site, page, step, user, password) {
  await page.reload();
  await page.waitForSelector("#signin:visible");
  site.forget();
  await signIn(page, user, password);
  await page.waitForSelector("#refused:visible");
  site.tell(step, await page.textContent("#refused"));
}

async function home(site, page, step) {
  await page.waitForSelector("#home:visible");
  const shown = await page.locator("#home p:not([hidden])").allTextContents();
  site.tell(step, site.at(page), ...shown);
}

/** Everything that is done in a session. */
async function whole(site, held) {
  await site.context.addInitScript((query) => {
    window.query = query;
  }, query(held));
  const page = await site.newTab();
  await visit(site, page);
  await refuse(site, page, "wrong password", USER_NAME, "wrong horse");
  await refuse(site, page, "nobody", "nobody", PASSWORD);

  await signIn(page, USER_NAME, PASSWORD);
  await home(site, page, "sign in");
  for (const { name, path, httpOnly, sameSite, secure } of await site.context.cookies(`${site.base}/api/v2/me`)) {
    site.tell("cookie", name, path, sameSite, `HttpOnly ${httpOnly}`, `Secure ${secure}`);
  }
  const protocols = await page.evaluate(() => performance.getEntries().map((entry) => entry.nextHopProtocol));
  site.tell("protocol", ...new Set(protocols.filter((protocol) => protocol)));
  await page.reload();
  await home(site, page, "reload");
  await site.poll(page);
  site.tell("poll", `every ${await page.evaluate(() => window.timer.every)} ms`);

  await run(site, page, held);
  if (await page.evaluate(() => "serviceWorker" in navigator)) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download button")]);
    const saved = await readFile(await download.path(), "utf8");
    site.tell("download", download.suggestedFilename(), told(saved));
  }

  const other = await site.newTab();
  await other.goto(`data:text/html,<a href="${site.base}/">link</a>`);
  await other.click("a");
  await home(site, other, "link of another site");
  await other.click("#signout");
  await other.waitForSelector("#signin:visible");
  site.tell("sign out", site.at(other));
  await site.poll(page);
  await page.waitForSelector("#signin:visible");
  site.tell("poll of the first tab", site.at(page));

  await signIn(page, OTHER_USER, OTHER_PASSWORD);
  await page.waitForSelector("#refused:visible, #home:visible");
  site.tell("umlauts", site.at(page));
}

/** Runs the query. With STREAMED, its last row passes only when the page has its first. */
async function run(site, page, held) {
  const go = () => fetch(`${held}/go`);
  if (!STREAMED) {
    await go();
  }
  await page.click("#run");
  await page.waitForFunction(() => window.result?.pieces > 0);
  if (STREAMED) {
    await go();
  }
  await page.waitForFunction(() => window.result.ended);
  site.tell("query", told(await page.evaluate(() => window.result.csv)));
}

/** How many rows there are, and what the last one's `part` is. */
function told(csv) {
  const rows = csv.split("\r\n").filter((line) => line.startsWith(",") && !line.startsWith(",result"));
  return `${rows.length} rows, ${rows.at(-1).split(",").at(-1)}`;
}

/** Signs in; then with each line of the standard input the page asks whether there is still a session. */
async function idle(site) {
  const page = await site.newTab();
  await visit(site, page);
  await signIn(page, USER_NAME, PASSWORD);
  await home(site, page, "sign in");
  for await (const _ of createInterface({ input: process.stdin })) {
    const status = await site.poll(page);
    await page.waitForSelector(status === 200 ? "#home:visible" : "#signin:visible");
    site.tell("poll", site.at(page));
  }
}

const browser = await chromium.launch(launchOptions);
try {
  for (const { name, base, held } of JSON.parse(SITES)) {
    const site = await Site.open(browser, base);
    console.log(`=== ${name}`);
    await (held ? whole(site, held) : idle(site));
    await site.close();
  }
} finally {
  await browser.close();
}
