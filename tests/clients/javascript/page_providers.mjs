// Signing in by a provider in a real browser: from InfluxDB's own pages to the gateway's, to the provider and back. Prints
// where the browser was led, a line for each step.

import { faultsOf } from "./axe.mjs";
import { GATEWAY_URL, LOOKS, launch, open, told, unexpected } from "./page.mjs";

const { PROVIDER_URL } = process.env;

const browser = await launch();

/** A tab that remembers where it was led. */
async function tab(options) {
  const { context, page } = await open(browser, { locale: "en", ...options }, PROVIDER_URL);
  const led = [];
  context.on("request", (request) => {
    if (request.isNavigationRequest()) {
      const url = request.url().replace(GATEWAY_URL, "").replace(PROVIDER_URL, "provider");
      led.push(url.replace(/(provider[^?]*|callback)\?.*/, "$1"));
    }
  });
  /** Says what has become of a step. */
  const tell = (step, ...seen) => {
    console.log(`${step}: ${[...led.splice(0), ...seen].join(" | ")}`);
  };
  return { context, page, tell };
}

/** What InfluxDB's UI shows, which asks who is there. */
async function ui(page) {
  await page.waitForSelector("#ui:not(:empty)");
  return page.textContent("#ui");
}

const view = (page) => page.locator("section:visible h1").textContent();

async function byButton() {
  await looks();
  await failures();
  const { context, page, tell } = await tab();
  await page.goto(`${GATEWAY_URL}/`);
  tell("without a session", await view(page));
  await page.click(".providers a");
  tell("button", await ui(page));
  await page.reload();
  tell("reload", await ui(page));
  await page.goto(`${GATEWAY_URL}/signin`);
  await page.waitForSelector("#list li");
  tell("signin", await view(page));
  await page.click(".who a");
  tell("open", await ui(page));
  // The session ends elsewhere: the hint stays, and the UI says so.
  await page.evaluate(() => fetch("/api/v2/signout", { method: "POST" }));
  await context.addCookies([{ name: "influx-gateway-signed-in", value: "1", url: GATEWAY_URL }]);
  await page.goto(`${GATEWAY_URL}/`);
  tell("after the end", await ui(page));
  await page.evaluate(() => history.replaceState(null, "", "/signin?returnTo=/orgs/1"));
  await page.reload();
  await page.waitForSelector("#signin:visible");
  tell("reload", await view(page));
  await page.click(".providers a");
  tell("button", await ui(page));
  await page.goto(`${GATEWAY_URL}/gateway/`);
  await page.waitForSelector("#list li");
  await page.click("button[name=signout]");
  tell("sign out", await told(page));
  await page.goto(`${GATEWAY_URL}/`);
  tell("without a session", await view(page));
  await context.close();
}

/** The page with a button is for everybody too. */
async function looks() {
  for (const colorScheme of ["light", "dark"]) {
    const viewport = { width: 320, height: 640 };
    const { context, page } = await open(browser, { colorScheme, viewport, bypassCSP: true });
    await page.goto(`${GATEWAY_URL}/gateway/`);
    await page.waitForSelector(".providers a");
    unexpected.push(...(await faultsOf(page)));
    await context.close();
  }
}

/** So is the one that says why a sign-in has failed: here, nobody has begun one. */
async function failures() {
  for (const [name, look] of Object.entries(LOOKS)) {
    for (const [locale, heading] of [["en", "Sign-in failed"], ["de", "Anmeldung fehlgeschlagen"]]) {
      const { context, page } = await open(browser, { ...look, locale, bypassCSP: true });
      await page.goto(`${GATEWAY_URL}/gateway/oidc/keycloak/callback?code=x&state=y`);
      const faults = await faultsOf(page);
      if ((await view(page)) !== heading) {
        faults.push("it is another page");
      }
      unexpected.push(...faults.map((fault) => `failure, ${locale}, ${name}: ${fault}`));
      await page.click("a");
      await page.waitForSelector(".providers a");
      await context.close();
    }
  }
}

// At the gateway's page, and at the provider.
async function signOut(page, tell) {
  await page.goto(`${GATEWAY_URL}/gateway/`);
  await page.waitForSelector("#list li");
  tell("page", await view(page));
  await page.click("button[name=signout]");
  await page.waitForSelector("#signin:visible #name:focus");
  // It has come back from there, and stays.
  await page.waitForURL(`${GATEWAY_URL}/gateway/`);
  await page.waitForLoadState();
  tell("sign out", await view(page));
}

async function straight() {
  const { context, page, tell } = await tab();
  await page.goto(`${GATEWAY_URL}/`);
  tell("straight", await ui(page));
  await signOut(page, tell);
  await page.reload();
  tell("again", await view(page));
  await context.close();
}

/** A cookie and how it is kept. */
function kept({ name, secure, httpOnly, sameSite, path }) {
  const flags = [secure && "Secure", httpOnly && "HttpOnly", `SameSite=${sameSite}`, `Path=${path}`];
  return [name, ...flags.filter(Boolean)].join(" ");
}

/** What is random in a cookie of a sign-in. */
const withoutRandom = (cookies) => cookies.replace(/oidc-[0-9a-f]{8}=[^;\s]*/g, "oidc-…");

/** Over TLS, by an authority that the browser does not know. */
async function overTls() {
  const { context, page, tell } = await tab({ ignoreHTTPSErrors: true });
  const cookies = async () => (await context.cookies()).map(kept).sort();
  const [set, sent] = [[], []];
  context.on("response", (response) => {
    if (response.url().includes("/keycloak/login")) {
      set.push(response.headerValue("set-cookie"));
    }
    if (response.url().includes("/keycloak/callback")) {
      sent.push(response.request().headerValue("cookie"));
    }
  });
  const all = async (cookies) => (await Promise.all(cookies)).map(withoutRandom).join(" | ");
  await page.goto(`${GATEWAY_URL}/`);
  tell("without a session", await view(page));
  await page.click(".providers a");
  tell("button", await ui(page));
  console.log(`begun: ${await all(set)}`);
  console.log(`brought back: ${await all(sent)}`);
  console.log(`cookies: ${(await cookies()).join(" | ")}`);
  await signOut(page, tell);
  console.log(`cookies: ${(await cookies()).join(" | ") || "none"}`);
  await context.close();
}

try {
  await { button: byButton, straight, secure: overTls }[process.argv[2]]();
  console.log(`unexpected: ${unexpected.join("; ") || "nothing"}`);
} finally {
  await browser.close();
}
