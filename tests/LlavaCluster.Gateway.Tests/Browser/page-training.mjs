// Drives the training view with the keyboard and the mouse. Arguments: the server's address, the browser, a file for the screenshot or "".
import { chromium } from "playwright-core";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [address, browser, screenshot] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "llava-page-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: browser,
  headless: true,
  viewport: { width: 1100, height: 820 },
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const problems = [];
const step = {};
try {
  const page = context.pages()[0] ?? await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));

  await page.goto(address);
  await page.locator("#model option").first().waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Training" }).click();
  const job = page.locator(".job").filter({ hasText: "formal" });
  await job.locator("summary").focus();
  await page.keyboard.press("Enter");
  // The third loss is told when the page has heard the second.
  await page.getByRole("img", { name: /at step 30$/ }).waitFor();
  step.curve = await job.getByRole("img").getAttribute("aria-label");
  step.points = (await job.locator("polyline").getAttribute("points")).split(" ").length;
  step.figures = await job.locator(".figures").innerText();
  step.told = await job.locator(".told").innerText();
  if (screenshot) await page.screenshot({ path: screenshot.replace(".png", "-training.png") });
  await job.getByRole("button", { name: "Pause" }).click();
  await job.getByRole("button", { name: "Resume" }).waitFor();
  step.paused = await job.locator(".badge").innerText();

  const failed = page.locator(".job").filter({ hasText: "broken" });
  await failed.locator("summary").click();
  step.reason = await failed.locator(".reason").innerText();
  await page.waitForFunction(() => document.querySelectorAll(".job[open]").length === 1);

  await page.getByRole("button", { name: "Use version" }).click();
  await page.getByText("on trial").waitFor();
  await page.getByRole("button", { name: "Roll back llava-test:formal" }).click();
  await page.getByText("on trial").waitFor({ state: "detached" });

  await page.setViewportSize({ width: 360, height: 700 });
  step.overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  if (screenshot) await page.screenshot({ path: screenshot.replace(".png", "-training-narrow.png") });
  await page.reload();
  await page.keyboard.press("Escape");
  await page.locator("#welcome").waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Chat with llava-test:formal" }).click();
  await page.waitForFunction(() => document.getElementById("model").value === "llava-test:formal");
  await page.fill("#text", "What is it?");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Regenerate" }).waitFor();
  step.answer = await page.locator(".answer").innerText();
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
console.log(JSON.stringify({ ...step, problems }));
