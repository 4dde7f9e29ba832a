// Gives the page pictures in every way there is and stops an answer. Arguments: the server's address, the browser, a picture file, a file that is none.
import { onPage } from "./browser.mjs";

const [address, browser, picture, notes] = process.argv.slice(2);
const step = {};
await onPage(address, browser, async (page) => {
  const shown = page.locator("#pictures img[src^=blob]");
  await page.setInputFiles("#file", picture);
  await shown.nth(0).waitFor();
  for (const [type, side] of [["drop", 5], ["paste", 6]]) {
    await page.evaluate(async ([type, side]) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
      const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
      const data = new DataTransfer();
      data.items.add(new File([blob], `${type}.png`, { type: "image/png" }));
      document.body.dispatchEvent(type === "drop"
        ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }, [type, side]);
    await shown.nth(side - 4).waitFor();
  }
  step.pictures = await shown.count();

  await page.setInputFiles("#file", notes);
  await page.locator("#error:not([hidden])").waitFor();
  step.error = await page.locator("#error").innerText();

  await page.fill("#text", "What is it?");
  await page.keyboard.press("Enter");
  await page.getByText("A red").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").waitFor();
  step.sendable = await page.getByRole("button", { name: "Send" }).isVisible();
});
console.log(JSON.stringify(step));
