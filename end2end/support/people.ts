// The people of the stories, and how each of them signs in.

import { expect, type Page } from '@playwright/test';
import type { Server } from './server.ts';

export interface Person {
  username: string;
  role: 'admin' | 'regular' | 'viewer';
  /** Domain of the customer; platform staff has none. */
  customer?: string;
}

/** Everybody's password: long enough, and on no list of common ones. */
export const password = 'quay-wall-gull-42';

/** Two customers; `stranger` is the other one's administrator, `staff` runs the platform. */
export const people = {
  staff: { username: 'staff', role: 'admin' },
  admin: { username: 'ana', role: 'admin', customer: 'acme' },
  regular: { username: 'rosa', role: 'regular', customer: 'acme' },
  viewer: { username: 'vera', role: 'viewer', customer: 'acme' },
  stranger: { username: 'sven', role: 'admin', customer: 'globex' },
} satisfies Record<string, Person>;

export type Name = keyof typeof people;

/** Creates both customers and everybody, platform staff by command line and the rest beside it. */
export async function settle(server: Server): Promise<void> {
  await register(server, people.staff);
  const token = await bearer(server, 'staff');
  for (const [name, domain] of [['Acme', 'acme'], ['Globex', 'globex']]) {
    await server.api('POST', 'customers', { name, domain, notes: '' }, token);
  }
  for (const person of Object.values(people)) {
    if (person !== people.staff) await register(server, person);
  }
}

/** A token for the REST API. */
export async function bearer(server: Server, who: Name | Person): Promise<string> {
  const person = personOf(who);
  const { token } = await server.api<{ token: string }>('POST', 'login', {
    username: person.username,
    password,
    ...(person.customer ? { customer: person.customer } : {}),
  });
  return token;
}

/** Signs in through the form, as a person does, and waits for the first page behind it. */
export async function signIn(page: Page, who: Name | Person, secret = password): Promise<void> {
  await page.goto('/sign-in');
  await fillSignIn(page, who, secret);
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
}

/** Fills in the form of the sign-in page and sends it. */
export async function fillSignIn(page: Page, who: Name | Person, secret = password): Promise<void> {
  const person = personOf(who);
  if (person.customer) await page.getByLabel('Customer').fill(person.customer);
  await page.getByLabel('Username').fill(person.username);
  await page.getByLabel('Password', { exact: true }).fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Creates somebody by command line, with everybody's password. */
export async function register(server: Server, person: Person): Promise<void> {
  const customer = person.customer ? ['--customer', person.customer] : [];
  await server.command(
    ['admin', 'create-user', '--username', person.username, '--role', person.role, ...customer, '--password-stdin'],
    `${password}\n`,
  );
}

function personOf(who: Name | Person): Person {
  return typeof who === 'string' ? people[who] : who;
}
