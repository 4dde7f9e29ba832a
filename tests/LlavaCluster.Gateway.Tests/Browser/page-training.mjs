// Drives the training view with the keyboard and the mouse. Arguments: the server's address, the browser, a file for the screenshot or "".
import { onPage } from "./browser.mjs";

const [address, browser, screenshot] = process.argv.slice(2);
const step = {};
const problems = await onPage(address, browser, async (page) => {
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
});
console.log(JSON.stringify({ ...step, problems }));
