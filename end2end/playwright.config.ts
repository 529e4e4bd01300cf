import { defineConfig } from '@playwright/test';

// Chromium's sandbox does not start for root; everybody else keeps it.
const asRoot = process.getuid?.() === 0;

export default defineConfig({
  testDir: 'tests',
  // Each worker has a server and a Docker engine of its own, and its tests share them in order.
  workers: Number(process.env.MUELLE_BROWSER_WORKERS ?? 1),
  forbidOnly: !!process.env.CI,
  timeout: 60_000,
  globalTimeout: 30 * 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  use: {
    browserName: 'chromium',
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    colorScheme: 'light',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.MUELLE_BROWSER ?? '/usr/bin/chromium',
      args: [
        ...(asRoot ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
