// The gateway's own page in use: by keyboard alone, back and forth, without JavaScript. Prints what there was to be seen,
// a line for each step.

import {
  GATEWAY_PASSWORD, GATEWAY_URL, GATEWAY_USER, launch, open, signIn, signInElsewhere, told, unexpected,
} from "./page.mjs";

const PAGE = `${GATEWAY_URL}/gateway/`;

const at = (page) => page.url().replace(GATEWAY_URL, "");
const shown = (page) => page.locator("section:visible h1").textContent();
const entries = (page) => page.locator("#list li:visible").count();

/** What has the focus, and whether that can be seen. */
const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const name = element.getAttribute("aria-label") ?? (element.id || element.textContent.trim());
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const isSeen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && box.left >= 0 && box.width > 0;
    const plain = name.replace(/, .*/, "");
    return isSeen ? plain : `${plain} (unseen)`;
  });

/** Where Tab leads from here, until the end of the page. */
async function tabs(page, count) {
  const stops = [];
  while (stops.length < count) {
    await page.keyboard.press("Tab");
    stops.push(await focused(page));
  }
  return stops.join(", ");
}

/** Presses Tab until the focus is on what is called so. */
async function tabTo(page, name) {
  for (let count = 0; count < 20; count++) {
    if ((await focused(page)) === name) {
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${name}`);
}

async function byKeyboard(browser) {
  await signInElsewhere("curl/8.5.0");
  await signInElsewhere("<img/src=x onerror=alert(1)>");
  await signInElsewhere("influx/2.7.5");
  const { context, page } = await open(browser, { locale: "en" });
  await page.goto(PAGE);
  await page.waitForSelector("#name:focus");
  await page.keyboard.press("Shift+Tab");
  console.log(`tabs: ${await focused(page)}, ${await tabs(page, 4)}`);
  await tabTo(page, "Skip to the content");
  await page.keyboard.press("Enter");
  console.log(`skipped to: ${await page.evaluate(() => document.activeElement.id)}`);
  await tabTo(page, "name");
  await page.keyboard.type(GATEWAY_USER);
  await page.keyboard.press("Tab");
  await page.keyboard.type(GATEWAY_PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#list li");
  const agents = await page.locator("#list h2").allTextContents();
  console.log(`signed in as ${await page.textContent("#who")}: ${agents.join(", ")}`);
  console.log(`elements made of text: ${await page.locator("main img, main b").count()}`);
  await page.evaluate(() => document.querySelector("main").focus());
  console.log(`tabs: ${await tabs(page, 6)}`);
  await page.evaluate(() => document.querySelector("main").focus());
  await tabTo(page, "End the session: influx");
  await page.keyboard.press("Enter");
  const heading = () => page.evaluate(() => document.activeElement.id);
  console.log(`end: ${await told(page)} ${await entries(page)} left, focus on ${await heading()}`);
  await tabTo(page, "others");
  await page.keyboard.press("Space");
  await page.waitForSelector("#others", { state: "hidden" });
  console.log(`end others: ${await told(page)} ${await entries(page)} left, focus on ${await heading()}`);
  await page.evaluate(() => document.querySelector("main").focus());
  await tabTo(page, "Sign out");
  await page.keyboard.press("Enter");
  console.log(`sign out: ${await told(page)} ${await shown(page)}, focus on ${await heading()}`);
  await context.close();
}

/** Whether anything of the user is left on the page, shown or not. */
async function left(page) {
  const [html, text] = await page.evaluate(() => {
    const root = document.documentElement;
    return [root?.outerHTML ?? "", root?.textContent ?? ""];
  });
  const isLeft = [GATEWAY_USER, "127.0.0.1, ", "curl"].some((it) => html.includes(it) || text.includes(it));
  return isLeft ? "something of the user" : "nothing of the user";
}

/** Goes back, and says what there is: as soon as anything is, and in the end. */
async function back(page, step) {
  const asked = page.waitForResponse((response) => response.url().endsWith("/me/sessions"));
  await page.goBack({ waitUntil: "commit" });
  const first = await left(page);
  await asked;
  await page.waitForSelector("#signin:visible");
  console.log(`${step}: ${await shown(page)}, ${first}, then ${await left(page)}`);
}

async function backAfterSignOut(browser) {
  const { context, page } = await open(browser, { locale: "en" });
  await page.goto(PAGE);
  await signInElsewhere("curl/8.5.0");
  await signIn(page);
  await page.click("footer a");
  await page.waitForSelector("#list li");
  console.log(`before sign-out: ${await shown(page)}, ${await left(page)}`);
  await page.click("button[name=signout]");
  await told(page);
  await back(page, "back after sign-out");

  await signIn(page);
  await page.goto(`${PAGE}icon.svg`);
  // The session ends elsewhere.
  await context.request.post(`${GATEWAY_URL}/api/v2/signout`);
  await back(page, "back after the end");
  await context.close();
}

async function withoutScript(browser) {
  const { context, page } = await open(browser, { locale: "de", javaScriptEnabled: false });
  await signInElsewhere("influx/2.7.5");
  await signInElsewhere("Telegraf/1.30");
  await page.goto(PAGE);
  await page.fill("#name", GATEWAY_USER);
  await page.fill("#password", "wrong horse");
  await page.click("#signin button");
  console.log(`without script, refused: ${at(page)}, ${await page.textContent("#error")}`);
  await page.fill("#password", GATEWAY_PASSWORD);
  await page.click("#signin button");
  console.log(`signed in: ${at(page)}, ${await shown(page)}, ${await entries(page)} there`);
  await page.locator("button[name=end]:visible").first().click();
  console.log(`end: ${at(page)}, ${await told(page)} ${await entries(page)} left`);
  await page.click("#others");
  console.log(`end others: ${at(page)}, ${await told(page)} ${await entries(page)} left`);
  await page.click("button[name=signout]");
  console.log(`sign out: ${at(page)}, ${await told(page)} ${await shown(page)}`);
  await page.goBack();
  console.log(`back: ${at(page)}, ${await shown(page)}, ${await left(page)}`);
  await page.click("a[href^='/api/v2/me/page']");
  console.log(`sessions of nobody: ${at(page)}, ${await shown(page)}`);
  await context.close();
}

async function sentOn(browser) {
  const { context, page } = await open(browser, { locale: "en" });
  await page.goto(`${PAGE}?return_to=/api/v2/me`);
  await page.fill("#name", GATEWAY_USER);
  await page.fill("#password", GATEWAY_PASSWORD);
  await page.click("#signin button");
  await page.waitForURL("**/api/v2/me");
  console.log(`sent on: ${at(page)}, ${JSON.parse(await page.textContent("pre")).name}`);
  await context.close();
}

const browser = await launch();
try {
  await byKeyboard(browser);
  await backAfterSignOut(browser);
  await withoutScript(browser);
  await sentOn(browser);
  console.log(`unexpected: ${unexpected.join("; ") || "nothing"}`);
} finally {
  await browser.close();
}
