// Playbooks as a person writes them: in the editor, with marks, versions, files and questions.

import { deflateRawSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { bearer, expect, expectAccessible, ready, test, type Name } from '../support/test.ts';
import type { Server } from '../support/server.ts';

const PING = '- name: Ping\n  hosts: all\n  tasks:\n    - name: Ping\n      ansible.builtin.ping:\n';
const ODD = `${PING}    - name: Odd\n      ansible.builtin.debug:\n        msg: x\n      ansible.builtin.command: ls\n`;

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

/** A playbook with a name that no other story has. */
async function keep(server: Server, who: Name = 'staff'): Promise<{ id: string; name: string }> {
  const [name, content] = [`book-${Math.random().toString(36).slice(2)}`, PING];
  const token = await bearer(server, who);
  const { id } = await server.api<{ id: string }>('POST', 'playbooks', { name, content }, token);
  return { id, name };
}

/** The editor of that name, once it stands over its textarea. */
function editor(page: Page, label = 'Content') {
  return page.getByRole('textbox', { name: label, exact: true }).and(page.locator('.cm-content'));
}

/** Writes at the end of the editor. */
async function write(page: Page, text: string): Promise<void> {
  await editor(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText(text);
}

/** The checksum of ZIP; Node.js has one of its own only since 20.15. */
function crc32(content: Buffer): number {
  let crc = ~0;
  for (const byte of content) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A ZIP archive of these files. */
function zip(files: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const [name, content] = [Buffer.from(path), Buffer.from(text)];
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const head = Buffer.concat([Buffer.from('PK\x03\x04'), common, name]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    entries.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, place, name]));
    parts.push(head, packed);
    offset += head.length + packed.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, directory, Buffer.from('PK\x05\x06'), end]);
}

test.use({ as: 'staff' });

// Ansible takes seconds, and on a busy machine many.
test.describe.configure({ timeout: 240_000 });

test('a playbook is written with modules to choose from, and a mistake is shown at its line', async ({ page, guard }) => {
  guard.expects(/422 .*save_record/);
  await open(page, '/playbooks/new');
  await page.getByLabel('Name', { exact: false }).first().fill(`written-${Date.now()}`);
  await expect(editor(page)).toBeVisible();
  await write(page, '- hosts: all\n  tasks:\n    - ansible.builtin.pin');
  await page.keyboard.type('g');
  const suggestion = page.getByRole('option', { name: /ansible\.builtin\.ping/ });
  await expect(suggestion).toBeVisible({ timeout: 30_000 });
  // A key that comes with the list itself is not taken for a choice.
  await suggestion.click();
  await expect(editor(page)).toContainText('ansible.builtin.ping:');

  await write(page, '\n- hosts: [');
  await expect(page.getByRole('list', { name: 'Check' }).getByText('Error')).toBeVisible();
  await page.getByRole('list', { name: 'Check' }).getByRole('button', { name: /^Line \d/ }).click();
  await expect(editor(page)).toBeFocused();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText(/Line \d+, column \d+: /).first()).toBeVisible();

  await editor(page).focus();
  await page.keyboard.press('Control+z');
  await expect(editor(page)).not.toContainText('- hosts: [');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page).toHaveURL(/\/playbooks\/[0-9a-f-]{36}$/);
  await expect(page.getByRole('status').filter({ hasText: /can read it|remark/ })).toBeVisible({ timeout: 60_000 });
});

test('what Ansible cannot read is saved with a mark', async ({ page, server }) => {
  const { id } = await keep(server);
  await open(page, `/playbooks/${id}/edit`);
  await expect(editor(page)).toBeVisible();
  await write(page, ODD.slice(PING.length));
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  const marks = page.getByRole('list', { name: 'Check' });
  await expect(marks.getByText(/conflicting action/)).toBeVisible({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page).toHaveURL(new RegExp(`/playbooks/${id}$`));
  await expect(marks.getByText(/conflicting action/)).toBeVisible({ timeout: 60_000 });
  await expect(marks.getByText('Line 6')).toBeVisible();
  await expectAccessible(page);
});

test('the editor is left by keys, and unsaved text is asked about', async ({ page, server }) => {
  const { id } = await keep(server);
  await open(page, `/playbooks/${id}/edit`);
  await editor(page).click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('Tab');
  await expect(editor(page)).toBeFocused();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await expect(editor(page)).not.toBeFocused();
  await page.getByRole('link', { name: 'Cancel' }).click();
  await expect(page.getByRole('dialog').getByRole('button', { name: /Leave/ })).toBeVisible();
});

test('versions are compared and restored', async ({ page, server }) => {
  const { id } = await keep(server);
  await open(page, `/playbooks/${id}/edit`);
  await expect(editor(page)).toBeVisible();
  await write(page, '    - name: Second\n      ansible.builtin.ping:\n');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page).toHaveURL(new RegExp(`/playbooks/${id}$`));

  await page.getByRole('link', { name: 'Versions', exact: true }).click();
  const diff = page.getByRole('region', { name: 'Lines of playbook.yml' });
  await expect(diff.getByText('- name: Second')).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Restore version 1' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();

  await expect(page.getByText('Restored from version 1')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Version 3' })).toBeVisible();
  await page.getByRole('link', { name: 'Overview' }).click();
  await expect(page.locator('.record__code').first()).not.toContainText('Second');
});

test('an archive is uploaded, a file of it edited, and another removed', async ({ page, server, guard }) => {
  guard.expects(/status of 422/);
  const { id } = await keep(server);
  await open(page, `/playbooks/${id}?tab=files`);
  await page.getByRole('button', { name: 'Upload' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Upload' });
  const good = zip({ 'templates/a.j2': '{{ x }}\n', 'files/b.txt': 'b\n', 'library/mine.py': 'x = 1\n' });
  await dialog.getByLabel('File', { exact: true }).setInputFiles({ name: 'site.zip', mimeType: 'application/zip', buffer: good });
  await dialog.getByRole('button', { name: 'Upload' }).click();
  // What came of it stands in the dialog, while the page behind it shows the new files.
  await expect(dialog.getByText('Files taken from the archive: 3')).toBeVisible();
  await expect(dialog.getByText('library/mine.py')).toBeVisible();
  await expect(page.getByRole('link', { name: 'a.j2', exact: true })).toBeAttached();
  await expect(dialog).toBeVisible();
  await expectAccessible(page);
  const bad = zip({ 'ansible.cfg': '[defaults]\n' });
  await dialog.getByLabel('File', { exact: true }).setInputFiles({ name: 'bad.zip', mimeType: 'application/zip', buffer: bad });
  await dialog.getByRole('button', { name: 'Upload' }).click();
  await expect(dialog.getByText(/ansible\.cfg is not taken/)).toBeVisible();
  await expect(dialog.getByText('Files taken from the archive: 3')).toBeHidden();
  await dialog.getByRole('button', { name: 'Close' }).first().click();

  await page.getByRole('link', { name: 'a.j2', exact: true }).click();
  const file = editor(page, 'Content of the file');
  await file.click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('# more\n');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved').or(page.getByText(/is saved|saved/)).first()).toBeVisible();
  await expectAccessible(page);

  await page.getByRole('button', { name: 'Remove files', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('link', { name: 'b.txt', exact: true })).toBeHidden();
});

test('what a project asks for is installed before it is checked, and what is wrong with it is said', async ({ page, server }) => {
  const { id, name } = await keep(server);
  const token = await bearer(server, 'staff');
  const content = '- name: Say hello\n  hosts: all\n  tasks:\n    - name: Say hello\n      acme.tools.hello:\n';
  await server.api('PUT', `playbooks/${id}`, { name, content, revision: 1 }, token);
  await open(page, `/playbooks/${id}?tab=files`);
  const needs = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Collections and roles' }) });
  await expect(page.getByText('There are no files beside this playbook')).toBeVisible();
  await expect(needs).toBeHidden();

  await page.getByRole('button', { name: 'Upload' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Upload' });
  const project = zip({
    'requirements.yml': 'collections:\n  - name: own\n    type: dir\n',
    'own/galaxy.yml': 'namespace: acme\nname: tools\nversion: 1.2.0\nreadme: README.md\nauthors: [Acme]\n',
    'own/README.md': 'Tools\n',
    'own/plugins/modules/hello.py':
      "from ansible.module_utils.basic import AnsibleModule\n\nAnsibleModule(argument_spec={}).exit_json(msg='hello')\n",
  });
  await dialog.getByLabel('File', { exact: true }).setInputFiles({ name: 'site.zip', mimeType: 'application/zip', buffer: project });
  await dialog.getByRole('button', { name: 'Upload' }).click();
  await expect(dialog.getByText('Files taken from the archive: 4')).toBeVisible();
  await dialog.getByRole('button', { name: 'Close' }).first().click();
  await expect(needs.getByText('Not installed yet')).toBeVisible();
  await expect(needs.getByRole('row', { name: /^own / })).toBeVisible();
  await needs.getByRole('button', { name: 'Install', exact: true }).click();
  await expect(needs.getByRole('row', { name: /acme\.tools Collection Any 1\.2\.0/ })).toBeVisible({ timeout: 60_000 });
  await expect(needs.getByRole('button', { name: 'Install again' })).toBeVisible();
  await expectAccessible(page);

  await page.getByRole('link', { name: 'Overview' }).click();
  await expect(page.getByRole('status').filter({ hasText: /can read it|remark/ })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText('Error', { exact: true })).toBeHidden();

  await open(page, `/playbooks/${id}?tab=files&file=requirements.yml`);
  const file = editor(page, 'Content of the file');
  await expect(file).toBeVisible();
  await file.click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('  - name: --upload-pack=x\n    type: git\n');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(needs.getByText(/requirements\.yml, line 4: "--upload-pack=x" cannot be installed from/)).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('link', { name: 'Overview' }).click();
  await expect(page.getByRole('list', { name: 'Check' }).getByText('requirements.yml, line 4')).toBeVisible({ timeout: 60_000 });
});

test('a dialog and what is typed in it outlive what somebody else saves', async ({ page, server }) => {
  const { id, name } = await keep(server);
  await open(page, `/playbooks/${id}?tab=files`);
  await page.getByRole('button', { name: 'Upload' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Upload' });
  await dialog.getByLabel('File', { exact: true }).setInputFiles({ name: 'mine.txt', mimeType: 'text/plain', buffer: Buffer.from('mine\n') });
  await dialog.getByLabel('Folder').fill('kept/here');

  const token = await bearer(server, 'staff');
  await server.api('PUT', `playbooks/${id}`, { name: `${name}-renamed`, content: `${PING}# theirs\n`, revision: 1 }, token);

  await expect(page.getByRole('heading', { level: 1, name: `${name}-renamed`, includeHidden: true })).toBeAttached();
  await expect(dialog).toBeVisible();
  await expect(dialog.getByLabel('Folder')).toHaveValue('kept/here');
  await dialog.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByRole('link', { name: 'mine.txt', exact: true })).toBeVisible();
});

test('an example becomes a playbook, and its questions are rows', async ({ page }) => {
  await open(page, '/playbooks/new?example=packages');
  await expect(editor(page)).toContainText('ansible.builtin.package');
  await expect(page.getByLabel('Name', { exact: false }).first()).toHaveValue('Install packages');
  await page.getByLabel('Name', { exact: false }).first().fill(`packages-${Date.now()}`);
  await expect(page.getByLabel('Variable').first()).toHaveValue('packages');
  await page.getByRole('button', { name: 'Add a question' }).click();
  await page.getByLabel('Variable').last().fill('reason');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page).toHaveURL(/\/playbooks\/[0-9a-f-]{36}$/);
  await expect(page.getByText('- variable: reason')).toBeVisible();
});

test.describe('for a viewer', () => {
  test.use({ as: 'viewer' });

  test('everything is shown and nothing can be changed', async ({ page, server }) => {
    const { id } = await keep(server, 'admin');
    const token = await bearer(server, 'admin');
    await server.api('POST', `playbooks/${id}/versions/1/restore`, {}, token);
    await open(page, `/playbooks/${id}?tab=files`);
    await expect(page.getByRole('button', { name: /^New file\. / })).toHaveAttribute('aria-disabled', 'true');
    await expect(page.getByRole('button', { name: /^Upload\. / })).toHaveAttribute('aria-disabled', 'true');
    await page.getByRole('link', { name: 'Versions', exact: true }).click();
    await expect(page.getByRole('link', { name: 'Version 1' })).toBeVisible();
  });
});

test.describe('on a phone, in the dark', () => {
  test.use({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' });

  test('the editor and the versions fit and can be read', async ({ page, server }) => {
    const { id } = await keep(server);
    await open(page, `/playbooks/${id}/edit`);
    await expect(editor(page)).toBeVisible();
    await expectAccessible(page);
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(await wide()).toBe(0);
    await open(page, `/playbooks/${id}?tab=versions`);
    await expect(page.getByRole('region', { name: 'Lines of playbook.yml' })).toBeVisible();
    expect(await wide()).toBe(0);
    await open(page, `/playbooks/${id}?tab=files`);
    await expect(page.getByText('There are no files beside this playbook')).toBeVisible();
    expect(await wide()).toBe(0);
    await expectAccessible(page);
  });
});
