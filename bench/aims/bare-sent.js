// node bare-sent.js: the statement of `GET /sent` behind Fastify and pg, and nothing else. DATABASE_URL names the database.

import Fastify from 'fastify';
import { Pool, types } from 'pg';
import { sentStatement } from '../support/built.js';

const LIMIT = 1_000;

types.setTypeParser(types.builtins.INT8, Number);
const statement = await sentStatement();
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const app = Fastify();
app.get('/sent', async () => {
  const { rows } = await pool.query({ ...statement, values: ['infinity', Number.MAX_SAFE_INTEGER, LIMIT + 1] });
  return rows.slice(0, LIMIT).map(({ id, recipient_phone, content, sent_status, sent_at, message_id }) => ({
    id,
    recipient_phone,
    content,
    sent_status,
    sent_at,
    message_id,
  }));
});
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
