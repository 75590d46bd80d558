// The gateway's own page in a browser, and an eye on all that must not happen on it.

import { chromium } from "playwright-core";
import { args, executablePath } from "./chromium.mjs";

export const { GATEWAY_URL, GATEWAY_USER, GATEWAY_PASSWORD } = process.env;

/** How long anything may take, in milliseconds. */
const PATIENCE = 20_000;

/** The fetch of sessions by somebody who has none, a refused form, and a sign-in that has failed are no faults. */
const EXPECTED = /^Failed to load resource: the server responded with a status of 40[01] /;

/** How a view is looked at. */
export const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  narrow: { viewport: { width: 320, height: 640 } },
  "forced colours": { forcedColors: "active" },
};

/** What nobody expects: what the policy of the page has stopped, errors, dialogs, requests to anybody else. */
export const unexpected = [];

/** A browser as people have it: it keeps pages that one can go back to, which Playwright's does not. */
export const launch = () =>
  chromium.launch({ executablePath, args, ignoreDefaultArgs: ["--disable-back-forward-cache"] });

/** A browser of its own profile, and a tab in it. It may go to the gateway, and to `elsewhere`. */
export async function open(browser, options, elsewhere = GATEWAY_URL) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`stopped by the policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  context.on("console", (message) => {
    // What is no page of ours has no icon.
    const isIcon = message.location().url.endsWith("/favicon.ico");
    if (["error", "warning"].includes(message.type()) && !EXPECTED.test(message.text()) && !isIcon) {
      unexpected.push(message.text());
    }
  });
  context.on("weberror", (error) => unexpected.push(`error: ${error.error()}`));
  context.on("dialog", async (dialog) => {
    unexpected.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  context.on("request", (request) => {
    if (![GATEWAY_URL, elsewhere].some((base) => request.url().startsWith(`${base}/`))) {
      unexpected.push(`asked somebody else: ${request.url()}`);
    }
  });
  return { context, page: await context.newPage() };
}

/** Signs in as another program would: no two in one millisecond, for the order of sessions goes by when they were used. */
export async function signInElsewhere(agent) {
  for (const before = Date.now(); Date.now() < before + 2; );
  const Authorization = `Basic ${btoa(`${GATEWAY_USER}:${GATEWAY_PASSWORD}`)}`;
  const headers = { Authorization, "User-Agent": agent };
  const answer = await fetch(`${GATEWAY_URL}/api/v2/signin`, { method: "POST", headers });
  if (answer.status !== 204) {
    throw new Error(`signing in as ${agent}: ${answer.status}`);
  }
}

/** Fills in the form and sends it. */
export async function submit(page, name, password) {
  await page.fill("#name", name);
  await page.fill("#password", password);
  await page.click("#signin button");
}

/** Signs in by the form, and waits for the sessions. */
export async function signIn(page) {
  await submit(page, GATEWAY_USER, GATEWAY_PASSWORD);
  await page.waitForSelector("#list li");
}

/** Waits until the page says that something has been done; resolves to what it says. */
export async function told(page) {
  await page.waitForSelector("#status:not(:empty)");
  return page.textContent("#status");
}
