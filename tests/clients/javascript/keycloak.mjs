// Somebody signs in at a provider in a real browser, and uses InfluxDB's pages. Prints what was seen, as JSON.
import { chromium } from "playwright-core";
import { args, executablePath } from "./chromium.mjs";

const { BASE, USER_NAME, PASSWORD } = process.env;

/** How long anything may take, in milliseconds: the provider makes its first page slowly. */
const PATIENCE = 40_000;

const seen = { secrets: { code: [], state: [] }, unexpected: [] };
const pathOf = (page) => page.url().replace(BASE, "");

/** What the pages show, once they do. */
async function home(page) {
  await page.waitForSelector("#home:visible");
  return page.locator("#home p:not([hidden])").allTextContents();
}

/** The gateway's page, where whoever has no session is sent, and its button for the provider. */
async function button(page) {
  await page.waitForURL(`${BASE}/gateway/**`);
  return page.locator("a[href*='/gateway/oidc/keycloak/login']");
}

/** The provider's form. */
async function fillIn(page) {
  await page.fill("#username", USER_NAME);
  await page.fill("#password", PASSWORD);
  await page.click("#kc-login");
}

const browser = await chromium.launch({ executablePath, args });
try {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  context.on("request", (request) => {
    const query = new URL(request.url()).searchParams;
    for (const name of ["code", "state"]) {
      if (query.has(name)) {
        seen.secrets[name].push(query.get(name));
      }
    }
    if (/[?&]code=/.test(request.headers().referer ?? "")) {
      seen.unexpected.push(`a code in the Referer of ${request.url()}`);
    }
  });
  context.on("weberror", (error) => seen.unexpected.push(`error: ${error.error()}`));
  const page = await context.newPage();

  await page.goto(`${BASE}/`);
  const link = await button(page);
  seen.page = pathOf(page).split("?")[0];
  seen.button = (await link.textContent()).trim();
  await link.click();
  await page.waitForSelector("#kc-form-login");
  seen.form = new URL(page.url()).origin;
  await fillIn(page);

  seen.home = await home(page);
  seen.landed = pathOf(page);
  const cookies = await context.cookies(`${BASE}/api/v2/me`);
  const { path, sameSite, httpOnly, secure } = cookies.find((cookie) => cookie.name === "influxdb-oss-session");
  seen.cookie = { path, sameSite, httpOnly, secure };
  await page.reload();
  seen.reloaded = await home(page);
  await page.click("#signout");
  const again = await button(page);
  seen.signed_out = pathOf(page).split("?")[0];
  await again.click();
  // The gateway gives its refresh token back, after which Keycloak asks for the password again.
  await page.waitForSelector("#kc-form-login:visible, #home:visible");
  if (!page.url().startsWith(BASE)) {
    await fillIn(page);
  }
  seen.again = await home(page);
  // Forth and back: no code is used twice, and nobody is asked again.
  await page.goto("data:text/html,elsewhere");
  await page.goBack();
  await home(page);
  seen.history = pathOf(page);
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
