// Every view of the gateway's own page, held against WCAG 2.2 AA by axe-core: in light, dark, narrow and forced colours,
// in English and, where it can make a difference, in German. Prints what is wrong, a line for each view where something is.

import { faultsOf } from "./axe.mjs";
import { GATEWAY_URL, GATEWAY_USER, LOOKS, launch, open, signIn, signInElsewhere, submit, told } from "./page.mjs";

let views = 0;

async function look(page, where) {
  views += 1;
  for (const fault of await faultsOf(page)) {
    console.log(`${where}: ${fault}`);
  }
}

async function walk(browser, locale, name) {
  const { context, page } = await open(browser, { ...LOOKS[name], locale, bypassCSP: true });
  const at = (view) => look(page, `${locale}, ${name}, ${view}`);
  await page.goto(`${GATEWAY_URL}/gateway/`);
  await page.waitForSelector("#name:focus");
  await at("sign in");
  await submit(page, GATEWAY_USER, "wrong horse");
  await page.waitForSelector("#error");
  await page.waitForSelector("#password:focus");
  await at("refused");
  await signIn(page);
  await at("sessions");
  await page.locator("button[name=end]:visible").first().click();
  await told(page);
  await at("one ended");
  await page.click("button[name=signout]");
  await told(page);
  await at("signed out");
  await signIn(page);
  await page.route("**/app.js", (route) => route.abort());
  await page.goto(`${GATEWAY_URL}/api/v2/me/page?said=ended`);
  await at("sessions without script");
  await context.close();
}

const browser = await launch();
try {
  const english = Object.keys(LOOKS).map((name) => ["en", name]);
  // Other words change no colours, but widths.
  for (const [locale, name] of [...english, ["de", "dark"], ["de", "narrow"]]) {
    await signInElsewhere("curl/8.5.0");
    await signInElsewhere("a-program-of-a-long-name/1.0");
    await walk(browser, locale, name);
  }
  console.log(`${views} views`);
} finally {
  await browser.close();
}
