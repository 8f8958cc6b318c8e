import { readFile } from 'node:fs/promises';
import type { Locator, Page, Request } from 'playwright-core';
import { BasePathProxy } from './support/base-path-proxy.js';
import { Browser } from './support/browser.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { Stage } from './support/stage.js';

interface Documented {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId: string }>>>>;
}

describe('Swagger UI in Chromium', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const asked: Request[] = [];

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
    browser = await Browser.open();
    page = await browser.context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('requestfailed', (request) => complaints.push(`${request.url()} ${request.failure()?.errorText}`));
    page.on('response', (response) => {
      if (response.status() >= 400) complaints.push(`${response.url()} ${response.status()}`);
    });
    page.on('request', (request) => asked.push(request));
    await page.goto(`${app.origin}/swagger/index.html`);
    await page.locator('.opblock').first().waitFor();
  });
  afterAll(async () => {
    await browser.close();
    await stage.strike();
  });
  const expectNoComplaint = () => expect(complaints).toEqual([]);

  const operation = (id: string): Locator => page.locator(`.opblock[id$="-${id}"]`);

  /** Opens an operation, presses "Try it out", fills in its parameters, presses "Execute", and returns the status shown. */
  async function execute(
    id: string,
    fill: (block: Locator) => Promise<void> = () => Promise.resolve(),
  ): Promise<string> {
    const block = operation(id);
    await block.locator('.opblock-summary-control').click();
    await block.getByRole('button', { name: 'Try it out' }).click();
    await fill(block);
    await block.getByRole('button', { name: 'Execute' }).click();
    const status = await block.locator('.live-responses-table .response .response-col_status').first().innerText();
    return status.trim();
  }

  it('shows every operation of the document', async () => {
    const { paths } = JSON.parse(await readFile('docs/openapi.json', 'utf8')) as Documented;
    const documented = Object.values(paths).flatMap((methods) => Object.values(methods).map((one) => one.operationId));
    const blocks = await page.locator('.opblock').all();
    const shown = await Promise.all(blocks.map(async (block) => (await block.getAttribute('id'))?.split('-').at(-1)));
    expect(new Set(shown)).toEqual(new Set(documented));
    expect(shown).toHaveLength(documented.length);
    expectNoComplaint();
  });

  it('loads nothing from anywhere else', () => {
    const foreign = asked.map((request) => request.url()).filter((url) => !url.startsWith(`${app.origin}/`));
    expect(foreign.filter((url) => !url.startsWith('data:'))).toEqual([]);
    expect(asked.length).toBeGreaterThan(3);
    expectNoComplaint();
  });

  it('tries out POST /messages with the example, and shows the 201 and the message', async () => {
    expect(await execute('createMessages')).toBe('201');
    expect(await operation('createMessages').locator('.live-responses-table').innerText()).toContain('"waiting"');
    expect(await stage.database.value('SELECT count(*) FROM messages')).toBe(1);
    expectNoComplaint();
  });

  it('tries out GET /sent with the examples, and shows the 200 and what was sent', async () => {
    await stage.database.query(`UPDATE messages SET sent_status = TRUE, sent_at = '2025-07-20 14:36:51.123'`);
    expect(await execute('listSent')).toBe('200');
    expect(await operation('listSent').locator('.live-responses-table').innerText()).toContain(
      '2025-07-20T14:36:51.123Z',
    );
    expectNoComplaint();
  });

  it('tries out POST /start, whose body is optional', async () => {
    expect(await execute('start')).toBe('200');
    expect(await operation('start').locator('.live-responses-table').innerText()).toContain('"Started"');
    expectNoComplaint();
  });

  it('shows each operation, opened, with its examples and without a value that has no text', async () => {
    const closed = page.locator('.opblock:not(.is-open)');
    for (let left = await closed.count(); left > 0; left = await closed.count()) {
      await closed.first().locator('.opblock-summary-control').click();
    }
    const text = await page.locator('.swagger-ui.swagger-container').innerText();
    expect(text).not.toMatch(/\[object \w+\]|undefined|Could not resolve|Could not render/);
    expectNoComplaint();
  });

  it('works below a base path that a proxy takes away, as do the document, its redirects and the links of pages', async () => {
    const proxy = await BasePathProxy.to(app.origin, '/dispatcher/');
    try {
      await page.goto(`${proxy.url}swagger`);
      await page.locator('.opblock').first().waitFor();
      expect(page.url()).toBe(`${proxy.url}swagger/index.html`);
      const called = page.waitForResponse((response) => response.url().endsWith('/start'));
      expect(await execute('start')).toBe('200');
      expect((await called).url()).toBe(`${proxy.url}start`);
      expectNoComplaint();

      const documentUrl = `${proxy.url}swagger/v1/swagger.json`;
      const { servers } = (await (await fetch(documentUrl)).json()) as { servers: { url: string }[] };
      expect(new URL(servers[0]?.url ?? '', documentUrl).href).toBe(proxy.url);

      await stage.database.insertMessages(2);
      const listed = `${proxy.url}messages?limit=1`;
      const link = /<(.*)>/.exec((await fetch(listed)).headers.get('link') ?? '')?.[1] ?? '';
      const next = await fetch(new URL(link, listed));
      expect([next.status, await next.json()]).toEqual([200, [expect.any(Object)]]);
    } finally {
      await proxy.stop();
    }
  });
});
