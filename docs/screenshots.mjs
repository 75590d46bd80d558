// Takes the pictures of the gateway's own page, docs/page-*.png: a real gateway, real sign-ins, Chromium.
//
//     node docs/screenshots.mjs target/debug/influx-gateway
//
// `make screenshots` runs it. The gateway's clock is moved (libfaketime), so that its sessions are of different days; the
// addresses are those that are kept for examples, told by a trusted proxy, which this is.

import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { args, executablePath } from "../tests/clients/javascript/chromium.mjs";

const clients = new URL("../tests/clients/javascript/", import.meta.url);
const { chromium } = createRequire(clients)("playwright-core");

const NAME = "ada";
const PASSWORD = "correct horse battery staple";
const AGENT =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

/** Who has signed in before, how long ago, from where. */
const BEFORE = [
  ["-3d", "198.51.100.23", "influxdb-client-python/1.50.0"],
  ["-26h", "2001:db8:4::17", "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/26.1 Safari/605.1.15"],
  ["-47m", "203.0.113.90", "influx/2.7.5 (linux)"],
];

const CONFIGURATION = `
[listen]
http = ["127.0.0.1:0"]
trusted_proxies = ["127.0.0.1"]
[session]
idle = "30d"
[page]
enabled = true
title = "Example Corp"
[server]
drain_delay = "0s"
`;

const FONTS = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include>/etc/fonts/fonts.conf</include>
${["system-ui", "sans-serif"].map((family) => `<match target="pattern"><test name="family"><string>${family}</string></test>
<edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>`).join("\n")}
</fontconfig>`;

const desktop = { width: 1000, height: 640 };
const phone = { width: 390, height: 760 };

/** Each picture, of which view, in which light. */
const PICTURES = [
  ["signin", "light", desktop],
  ["signin", "dark", desktop],
  ["sessions", "light", desktop],
  ["sessions", "dark", desktop],
  ["phone-signin", "light", phone],
  ["phone-signin", "dark", phone],
  ["phone-sessions", "light", phone],
  ["phone-sessions", "dark", phone],
];

const [program] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), "screenshots-"));
const at = (name) => join(folder, name);

async function libfaketime() {
  for (const machine of await readdir("/usr/lib")) {
    const files = await readdir(join("/usr/lib", machine, "faketime")).catch(() => []);
    if (files.includes("libfaketimeMT.so.1")) {
      return join("/usr/lib", machine, "faketime/libfaketimeMT.so.1");
    }
  }
  throw new Error("libfaketime is missing; `make screenshots` installs it");
}

/** Sets the gateway's clock. */
async function set(offset) {
  await writeFile(at("offset.new"), offset);
  await rename(at("offset.new"), at("offset"));
}

/** Starts the gateway; resolves to it and where it listens. */
async function start() {
  await writeFile(at("gateway.toml"), CONFIGURATION);
  const add = ["user", "add", NAME, "--password-stdin", "--config", at("gateway.toml")];
  execFileSync(program, add, { input: `${PASSWORD}\n`, stdio: ["pipe", "ignore", "pipe"] });
  await set(BEFORE[0][0]);
  const gateway = spawn(program, ["run", "--config", at("gateway.toml")], {
    env: {
      ...process.env,
      LD_PRELOAD: await libfaketime(),
      FAKETIME_TIMESTAMP_FILE: at("offset"),
      FAKETIME_NO_CACHE: "1",
      NO_FAKE_STAT: "1",
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  for await (const line of createInterface({ input: gateway.stdout })) {
    const base = line.replace("listening on ", "");
    return { gateway, base };
  }
  throw new Error("the gateway does not start");
}

async function signIn(base, address, agent) {
  const Authorization = `Basic ${btoa(`${NAME}:${PASSWORD}`)}`;
  const headers = { Authorization, "User-Agent": agent, "X-Forwarded-For": address };
  const answer = await fetch(`${base}/api/v2/signin`, { method: "POST", headers });
  if (answer.status !== 204) {
    throw new Error(`sign-in: ${answer.status}`);
  }
}

async function take(browser, base, [name, colorScheme, viewport]) {
  const isPhone = name.startsWith("phone");
  const context = await browser.newContext({
    colorScheme,
    viewport,
    deviceScaleFactor: isPhone ? 2 : 1.5,
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    userAgent: AGENT,
    extraHTTPHeaders: { "X-Forwarded-For": "192.0.2.41" },
  });
  const page = await context.newPage();
  await page.goto(`${base}/gateway/`);
  await page.waitForSelector("#name:focus");
  await page.fill("#name", NAME);
  if (name.endsWith("sessions")) {
    await page.fill("#password", PASSWORD);
    await page.click("#signin button");
    await page.waitForSelector("#list li");
  }
  const path = fileURLToPath(new URL(`page-${name}-${colorScheme}.png`, import.meta.url));
  await page.screenshot({ path, animations: "disabled", fullPage: true });
  if (name.endsWith("sessions")) {
    await page.click("button[name=signout]");
    await page.waitForSelector("#signin:visible");
  }
  await context.close();
  execFileSync("pngquant", ["--force", "--skip-if-larger", "--strip", "--nofs", "--ext", ".png", "--speed", "1", path]);
}

const { gateway, base } = await start();
try {
  for (const [offset, address, agent] of BEFORE) {
    await set(offset);
    await signIn(base, address, agent);
  }
  await set("+0");
  await writeFile(at("fonts.conf"), FONTS);
  const env = { ...process.env, FONTCONFIG_FILE: at("fonts.conf") };
  const browser = await chromium.launch({ executablePath, args, env });
  for (const picture of PICTURES) {
    await take(browser, base, picture);
  }
  await browser.close();
} finally {
  gateway.kill();
  await rm(folder, { recursive: true });
}
