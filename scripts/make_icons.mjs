/**
 * Draws the icons of the installed page from its logo: `node scripts/make_icons.mjs`. Systems cut the maskable one to a
 * circle or another shape, so its drawing keeps within the middle.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { launchChromium } from "../tests/web/support/chromium.mjs";

const FOLDER = "www/app/icons";
const GROUND = "#17695a";
const ICONS = [
  { name: "icon-192", pixels: 192, cornerShare: 0.22, drawingShare: 0.74 },
  { name: "icon-512", pixels: 512, cornerShare: 0.22, drawingShare: 0.74 },
  { name: "maskable-512", pixels: 512, cornerShare: 0, drawingShare: 0.56 },
];

const logo = readFileSync("www/app/logo.svg", "utf8")
  .replace(/@media \(prefers-color-scheme: dark\) \{[^}]*\}[^}]*\}[^}]*\}\s*\}/, "")
  .replaceAll("#17695a", "#e9f5f0")
  .replaceAll("#e2a33c", "#ffcf70");

const browser = await launchChromium({ webgpu: false });
try {
  const page = await browser.context.newPage();
  for (const { name, pixels, cornerShare, drawingShare } of ICONS) {
    await page.setViewportSize({ width: pixels, height: pixels });
    const drawing = `data:image/svg+xml;base64,${Buffer.from(logo).toString("base64")}`;
    await page.setContent(`<!doctype html><style>
      body { margin: 0; background: none }
      div { display: grid; place-items: center; width: ${pixels}px; height: ${pixels}px; background: ${GROUND};
        border-radius: ${cornerShare * pixels}px }
      img { width: ${drawingShare * pixels}px }
    </style><div><img src="${drawing}"></div>`);
    await page.waitForFunction(() => document.images[0].complete);
    writeFileSync(`${FOLDER}/${name}.png`, await page.screenshot({ omitBackground: true }));
  }
} finally {
  await browser.close();
}
