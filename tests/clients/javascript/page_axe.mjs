// Every view of the gateway's own page, held against WCAG 2.2 AA by axe-core: in light, dark, narrow and forced colours,
// in English and, where it can make a difference, in German. Prints what is wrong, a line for each view where something is.

import { readFile } from "node:fs/promises";
import { GATEWAY_URL, GATEWAY_USER, launch, open, signIn, signInElsewhere, submit, told } from "./page.mjs";

const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Of so many rules at least there is something to look at on each view. */
const LEAST = 20;

const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  narrow: { viewport: { width: 320, height: 640 } },
  "forced colours": { forcedColors: "active" },
};

let views = 0;

/** Looks at what is shown, and says what is wrong with it or cannot be told. */
async function look(page, where) {
  views += 1;
  await page.evaluate(axe);
  const { violations, incomplete, passes } = await page.evaluate(async (values) => {
    const rules = { "target-size": { enabled: true } };
    return window.axe.run(document, { runOnly: { type: "tag", values }, rules });
  }, RULES);
  const node = (node) => `${node.target} (${node.any.concat(node.all).map((it) => it.message).join(" ")})`;
  const faults = [...violations, ...incomplete].map((it) => `${it.id}: ${it.nodes.map(node).join("; ")}`);
  if (passes.length < LEAST) {
    faults.push(`only ${passes.length} rules had anything to look at`);
  }
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  if (width[0] > width[1]) {
    faults.push(`${width[0]} pixels wide, of which ${width[1]} are seen`);
  }
  const title = await page.title();
  const heading = await page.textContent("section:not([hidden]) h1");
  if (!title.startsWith(heading)) {
    faults.push(`${heading} is called ${title}`);
  }
  for (const fault of faults) {
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
