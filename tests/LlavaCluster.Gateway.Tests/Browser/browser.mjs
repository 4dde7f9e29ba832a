// What every script that drives a page needs: a browser with a profile of its own, and an ear for what goes wrong in it.
import { chromium } from "playwright-core";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs act(page) on the page at an address once it lists its models. Gives what went wrong: errors of the page, and requests that left the server. */
export async function onPage(address, browser, act) {
  const profile = mkdtempSync(join(tmpdir(), "llava-page-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: browser,
    headless: true,
    viewport: { width: 1100, height: 820 },
    deviceScaleFactor: 1,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const problems = [];
  try {
    const page = context.pages()[0] ?? await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("request", (request) => { if (!request.url().startsWith(address) && !request.url().startsWith("blob:")) problems.push(`asked for ${request.url()}`); });
    await page.goto(address);
    await page.locator("#model option").first().waitFor({ state: "attached" });
    await act(page);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }

  return problems;
}
