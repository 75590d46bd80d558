// A page of another origin uses a session of the gateway, in a real browser; a page of a third does not.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { args, executablePath } from "./chromium.mjs";

const { GATEWAY_URL, GATEWAY_USER, GATEWAY_PASSWORD, ALLOWED_PAGE, OTHER_PAGE } = process.env;

// What a page does: each of these, with the browser's cookies. Resolves to the status and the body, or to
// "refused" where the browser does not let the page have the answer.
async function ask([method, url, headers, mode]) {
  try {
    const answer = await fetch(url, { method, headers, mode, credentials: "include" });
    return `${answer.status} ${await answer.text()}`.trim();
  } catch {
    return "refused";
  }
}

const profile = await mkdtemp(join(tmpdir(), "chromium-"));
// A fresh profile keeps cookies away from other sites, whatever SameSite says; its owner can allow them.
const preferences = { profile: { block_third_party_cookies: false, cookie_controls_mode: 0 } };
await mkdir(join(profile, "Default"));
await writeFile(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  ignoreHTTPSErrors: true,
  args,
});
try {
  const page = await context.newPage();
  const at = (path) => `${GATEWAY_URL}${path}`;
  const Authorization = `Basic ${btoa(`${GATEWAY_USER}:${GATEWAY_PASSWORD}`)}`;
  const json = { "Content-Type": "application/json" };
  const from = async (origin, requests) => {
    await page.goto(origin);
    const answers = [];
    for (const request of requests) {
      answers.push(await page.evaluate(ask, request));
    }
    return answers.join(", ");
  };
  const name = (text) => text.replace(/\{\s.*"name": "(\w+)".*\}/s, "$1");
  const allowed = await from(ALLOWED_PAGE, [
    ["POST", at("/api/v2/signin"), { Authorization }],
    ["GET", at("/api/v2/me")],
    ["GET", at("/api/v2/buckets")],
    ["DELETE", at("/api/v2/buckets/1"), json],
    ["POST", at("/api/v2/write"), json],
    ["PUT", at("/api/v2/signin"), json],
  ]);
  console.log("allowed:", name(allowed));
  const cookies = await context.cookies(at("/api/v2/me"));
  console.log("cookie:", cookies.map((cookie) => `${cookie.sameSite}, secure ${cookie.secure}`).join("; "));
  const other = await from(OTHER_PAGE, [
    ["GET", at("/api/v2/me")],
    ["GET", at("/api/v2/buckets")],
    ["DELETE", at("/api/v2/buckets/2"), json],
    ["POST", at("/api/v2/write"), undefined, "no-cors"],
    ["POST", at("/api/v2/signout"), undefined, "no-cors"],
    ["POST", at("/api/v2/signin"), { Authorization }],
  ]);
  console.log("other:", name(other));
  const after = await from(ALLOWED_PAGE, [
    ["GET", at("/api/v2/buckets")],
    ["POST", at("/api/v2/signout")],
    ["GET", at("/api/v2/buckets")],
  ]);
  console.log("after:", after.replace(/401 \{.*\}/, "401"));
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}
