// Ingest of the naive loop: Fastify takes events over HTTP and queues one BullMQ job for each.
// The API key is looked up once a minute, not on every request: kinder than the usual naive code.
// Settings: PG (libpq URL), REDIS_SOCKET, PORT.
import crypto from 'node:crypto';
import { Queue } from 'bullmq';
import Fastify from 'fastify';
import pg from 'pg';

const KEY_CACHE_MS = 60_000;
const connection = { path: process.env.REDIS_SOCKET };
const queue = new Queue('events', {
  connection,
  defaultJobOptions: { removeOnComplete: 1000, removeOnFail: 1000, attempts: 3 },
});
const pool = new pg.Pool({ connectionString: process.env.PG, max: 10 });
const app = Fastify({ bodyLimit: 1 << 24 });
const orgByHash = new Map();

async function orgOf(request) {
  const key = (request.headers.authorization || '').slice('Bearer '.length);
  const hash = crypto.createHash('sha256').update(key).digest('hex');
  const cached = orgByHash.get(hash);
  if (cached && cached.until > Date.now()) return cached.org;
  const { rows } = await pool.query('select org_id from api_keys where hash = $1', [hash]);
  if (!rows[0]) return null;
  orgByHash.set(hash, { org: rows[0].org_id, until: Date.now() + KEY_CACHE_MS });
  return rows[0].org_id;
}

function jobOf(org, event) {
  return { id: crypto.randomUUID(), org, type: event.type, payload: event.payload, ts: Date.now() };
}

app.post('/events', async (request, reply) => {
  const org = await orgOf(request);
  if (!org) return reply.code(401).send({ error: 'bad key' });
  if (typeof request.body?.type !== 'string') return reply.code(400).send({ error: 'type' });
  const data = jobOf(org, request.body);
  await queue.add('e', data);
  return reply.code(202).send({ id: data.id });
});

app.post('/events/batch', async (request, reply) => {
  const org = await orgOf(request);
  if (!org) return reply.code(401).send({ error: 'bad key' });
  const jobs = request.body.events.map((event) => ({ name: 'e', data: jobOf(org, event) }));
  await queue.addBulk(jobs);
  return reply.code(202).send({ n: jobs.length });
});

await app.listen({ port: +process.env.PORT, host: '127.0.0.1' });
console.log('api up');
