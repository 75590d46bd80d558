// A view of the gateway's own page, held against WCAG 2.2 AA by axe-core.

import { readFile } from "node:fs/promises";

const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Of so many rules at least there is something to look at on each view. */
const LEAST = 20;

/** What is wrong with what is shown, or cannot be told. The page's policy must not be in force: axe-core is none of its files. */
export async function faultsOf(page) {
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
  return faults;
}
