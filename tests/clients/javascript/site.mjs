// A site in a browser of its own profile: what it asks for, and what the browser makes of the answers.

import { args, executablePath } from "./chromium.mjs";

/** How long anything may take, in milliseconds. */
const PATIENCE = 20_000;

export const launchOptions = {
  executablePath,
  args: [
    ...args,
    "--ignore-certificate-errors",
    // A host that browsers do not trust as they trust this machine.
    "--host-resolver-rules=MAP influx.test 127.0.0.1",
  ],
};

const pathOf = (url) => new URL(url).pathname;

export class Site {
  // Since it was told last: each call, with the status of its answer.
  #asked = [];
  // Of all that time: what was refused, what the console says of it, and what nobody expects.
  #refused = [];
  #complained = [];
  #unexpected = [];

  static async open(browser, base) {
    const site = new Site();
    site.base = base;
    site.context = await browser.newContext({ acceptDownloads: true });
    site.context.setDefaultTimeout(PATIENCE);
    // The page's timer is called when a step says so.
    await site.context.addInitScript(() => {
      window.setInterval = (work, every) => {
        window.timer = { work, every };
      };
    });
    site.#watch();
    return site;
  }

  #watch() {
    this.context.on("response", (response) => {
      const path = pathOf(response.url());
      // What a service worker asks is told of at any time.
      if (!path.startsWith("/api/") || response.fromServiceWorker() || response.request().serviceWorker()) {
        return;
      }
      this.#asked.push(`${response.request().method()} ${path.replace("/api/v2/", "")} ${response.status()}`);
      if (response.status() === 401) {
        this.#refused.push(path);
      }
    });
    this.context.on("console", (message) => {
      if (/^Failed to load resource: the server responded with a status of 401 /.test(message.text())) {
        this.#complained.push(pathOf(message.location().url));
      } else {
        this.#unexpected.push(`console: ${message.text()}`);
      }
    });
    this.context.on("weberror", (error) => this.#unexpected.push(`error: ${error.error()}`));
    this.context.on("dialog", async (dialog) => {
      this.#unexpected.push(`dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
  }

  /** A new tab. Where the browser would ask for a password by a dialog of its own, this is unexpected. */
  async newTab() {
    const page = await this.context.newPage();
    const wire = await this.context.newCDPSession(page);
    // A page that has gone on needs no answer.
    const send = (what, more) => wire.send(what, more).catch(() => {});
    wire.on("Fetch.requestPaused", ({ requestId }) => send("Fetch.continueRequest", { requestId }));
    wire.on("Fetch.authRequired", ({ requestId, request }) => {
      this.#unexpected.push(`the browser asks for a password for ${pathOf(request.url)}`);
      send("Fetch.continueWithAuth", { requestId, authChallengeResponse: { response: "CancelAuth" } });
    });
    await wire.send("Fetch.enable", { handleAuthRequests: true });
    return page;
  }

  /** Where `page` is. */
  at(page) {
    return page.url().replace(this.base, "");
  }

  /** Prints a step: what was asked since the last, and what there is to be seen. */
  tell(step, ...seen) {
    console.log(`${step}: ${[...this.#asked, ...seen].join(", ")}`);
    this.forget();
  }

  /** Tells nothing of what was asked so far. */
  forget() {
    this.#asked = [];
  }

  /** Has the timer of `page` do its work, and resolves to the status of what it asks. */
  async poll(page) {
    const isMe = (response) => pathOf(response.url()) === "/api/v2/me";
    const [answer] = await Promise.all([page.waitForResponse(isMe), page.evaluate(() => void window.timer.work())]);
    return answer.status();
  }

  /** The end: prints what nobody expects. Of each refusal the console has to tell once. */
  async close() {
    await this.context.close();
    if (this.#complained.sort().join() !== this.#refused.sort().join()) {
      this.#unexpected.push(`the console tells of ${this.#complained}, refused was ${this.#refused}`);
    }
    console.log(`unexpected: ${this.#unexpected.join("; ") || "nothing"}`);
  }
}
