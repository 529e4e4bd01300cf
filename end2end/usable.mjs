// Prints how many milliseconds pass until a page shows rows and listens to the person, as `make bench` asks for.
// Usage: node usable.mjs URL COOKIE

import { opened, withPage } from './support/visit.mjs';

const [url, cookie] = process.argv.slice(2);
await withPage(url, cookie, async (page) => {
  const time = await opened(page, url, (page) => page.locator('tbody tr').first());
  console.log(time.toFixed(1));
});
