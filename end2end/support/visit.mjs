// What the figures of `make bench` see of a page in a browser.

import { chromium } from '@playwright/test';

/** Opens a browser for the person of the cookie, hands over a page of it, and closes it again. */
export async function withPage(url, cookie, use) {
  const [name, value] = cookie.split(/=(.*)/s);
  const asRoot = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath: process.env.MUELLE_BROWSER ?? '/usr/bin/chromium',
    args: [...(asRoot ? ['--no-sandbox'] : []), '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    await context.addCookies([{ name, value, url: new URL(url).origin, httpOnly: true }]);
    await use(await context.newPage());
  } finally {
    await browser.close();
  }
}

/** Milliseconds until a page listens and what is looked for is on the screen: the median of five visits with a warm cache. */
export async function opened(page, url, wanted) {
  const times = [];
  for (let visit = 0; visit < 6; visit++) {
    await page.goto('about:blank');
    const began = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator('html[data-hydrated=true]').waitFor();
    await wanted(page).waitFor();
    // The first visit fills the browser's cache.
    if (visit > 0) times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[2];
}
