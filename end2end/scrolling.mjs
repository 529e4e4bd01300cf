// Prints what a person sees of a long run: how many milliseconds pass until its tasks and its console stand on the
// screen, and how much time passes between two pictures while the console is scrolled, beside a still page of as many
// lines. `make bench` asks for it. Usage: node scrolling.mjs URL COOKIE

import { opened, withPage } from './support/visit.mjs';

const [url, cookie] = process.argv.slice(2);
await withPage(url, cookie, async (page) => {
  const tasks = await opened(page, url, (page) => page.getByText('Say little').first());
  // The console follows its end, so the last lines are what is seen first.
  const last = (page) => page.locator('.console__line', { hasText: 'PLAY RECAP' });
  const shown = await opened(page, `${url}?tab=console`, last);
  const log = page.locator('.console[role=log]');
  const frames = await scrolled(page, log);
  const lines = await log.locator('.console__line').allTextContents();
  const still = await scrolled(page, await stillPage(page, lines));
  console.log(JSON.stringify({ tasks, console: shown, frames, still, lines: lines.length }));
});

/** A page that holds the lines and nothing else. */
async function stillPage(page, lines) {
  const rows = lines.map((line) => `<div>${line.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</div>`).join('');
  await page.goto('about:blank');
  await page.setContent(`<div id="log" style="height: 600px; overflow: auto; font: 13px monospace">${rows}</div>`);
  return page.locator('#log');
}

/** Milliseconds between two pictures while a person turns the wheel upwards for some seconds. */
async function scrolled(page, log) {
  await log.evaluate((log) => log.scrollTo(0, log.scrollHeight));
  const box = await log.boundingBox();
  const at = { x: box.x + box.width / 2, y: box.y + Math.min(box.height, 400) / 2 };
  const before = await log.evaluate((log) => log.scrollTop);
  await page.evaluate(() => {
    globalThis.pictures = [];
    const look = (now) => {
      globalThis.pictures.push(now);
      globalThis.looking = requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  const client = await page.context().newCDPSession(page);
  const gesture = { ...at, yDistance: 12000, speed: 4000, gestureSourceType: 'mouse' };
  await client.send('Input.synthesizeScrollGesture', gesture);
  const pictures = await page.evaluate(() => {
    cancelAnimationFrame(globalThis.looking);
    return globalThis.pictures;
  });
  const moved = before - (await log.evaluate((log) => log.scrollTop));
  if (moved < 6000) throw new Error(`the log moved by ${moved} pixels only`);
  const between = pictures.slice(1).map((at, index) => at - pictures[index]).sort((a, b) => a - b);
  const part = (share) => between[Math.min(between.length - 1, Math.floor(between.length * share))];
  return { p50: part(0.5), p95: part(0.95), longest: between.at(-1), count: between.length };
}
