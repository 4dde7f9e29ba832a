// Drives the chat page as a person does. Arguments: the server's address, the browser, a file for the screenshot or "".
import { onPage } from "./browser.mjs";

const [address, browser, screenshot] = process.argv.slice(2);
const step = {};
const problems = await onPage(address, browser, async (page) => {
  await page.locator("#samples button").first().click();
  await page.locator("#pictures img[src^=blob]").waitFor();
  step.suggested = await page.inputValue("#text");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Regenerate" }).waitFor();
  step.answer = await page.locator(".answer").innerText();
  step.conversation = new URL(page.url()).hash.slice(1);
  step.picture = await page.locator(".mine img").evaluate(async (image) => { await image.decode(); return image.naturalWidth; });
  if (screenshot) await page.screenshot({ path: screenshot });

  await page.getByRole("button", { name: "Regenerate" }).click();
  await page.getByText("2 / 2").waitFor();
  await page.getByRole("button", { name: "Previous answer" }).click();
  await page.getByText("1 / 2").waitFor();

  await page.reload();
  await page.getByText("2 / 2").waitFor();
  step.reloaded = await page.locator(".answer").innerText();

  await page.fill("#text", "And its colour?");
  await page.keyboard.press("Enter");
  await page.locator(".answer").nth(1).waitFor();
  await page.getByRole("button", { name: "Regenerate" }).nth(1).waitFor();
  step.turns = await page.locator("#turns > li").count();

  await page.setViewportSize({ width: 360, height: 700 });
  step.overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  if (screenshot) {
    await page.screenshot({ path: screenshot.replace(".png", "-narrow.png") });
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 1100, height: 820 });
    await page.screenshot({ path: screenshot.replace(".png", "-dark.png") });
  }

  await page.getByRole("button", { name: "New chat" }).click();
  await page.locator("#welcome").waitFor();
  if (screenshot) await page.screenshot({ path: screenshot.replace(".png", "-welcome.png") });
});
console.log(JSON.stringify({ ...step, problems }));
