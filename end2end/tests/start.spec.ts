import { expect, test } from '../support/test.ts';

test.use({ firstStart: true });

test('a server that has just started says that it is well', async ({ request }) => {
  const answer = await request.get('/api/heartbeat');

  expect(answer.status()).toBe(200);
  expect(await answer.json()).toEqual({ ok: true });
});

test('everything that a page names is there', async ({ request }) => {
  const page = await (await request.get('/')).text();
  const names = [...page.matchAll(/(?:href|src)="(\/[^"]+\.(?:css|js|wasm|svg|ico|woff2))"/g)].map((found) => found[1]!);

  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect((await request.get(name)).status(), name).toBe(200);
  }
});

test('a server that was killed comes back', async ({ server, request }) => {
  await server.kill();
  await server.resume();

  expect((await request.get('/api/heartbeat')).status()).toBe(200);
});
