// Worker of the naive loop. Per event: ZADD; per rule of its type ZREMRANGEBYSCORE + ZCARD and an
// EXISTS/SETEX cooldown; one Postgres transaction; then one job for each firing, which posts the webhook.
// Its faults are the point of it (rules of one type trim each other's window, a cooldown starts before
// the commit, members are trimmed by the wall clock): it is measured for speed, not for its answers.
// Settings: PG (libpq URL), REDIS_SOCKET, CONC (jobs in flight, 50).
import { Queue, Worker } from 'bullmq';
import IORedis from 'ioredis';
import pg from 'pg';

const connection = { path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null };
const redis = new IORedis(connection);
const pool = new pg.Pool({ connectionString: process.env.PG, max: 20 });
const outbox = new Queue('notify', {
  connection,
  defaultJobOptions: {
    removeOnComplete: 1000,
    attempts: 5,
    backoff: { type: 'exponential', delay: 1000 },
  },
});

const rulesByType = new Map();
for (const rule of (await pool.query('select * from rules')).rows) {
  const key = `${rule.org_id}:${rule.event_type}`;
  if (!rulesByType.has(key)) rulesByType.set(key, []);
  rulesByType.get(key).push(rule);
}

async function judge(event, window) {
  const firings = [];
  for (const rule of rulesByType.get(`${event.org}:${event.type}`) || []) {
    await redis.zremrangebyscore(window, 0, Date.now() - rule.window_s * 1000);
    const count = await redis.zcard(window);
    if (count >= rule.threshold && !(await redis.exists(`cd:${rule.id}`))) {
      await redis.setex(`cd:${rule.id}`, rule.cooldown_s, '1');
      firings.push([rule, count]);
    }
  }
  return firings;
}

async function store(event, firings) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(
      'insert into events(id, org_id, type, payload, ts) values ($1, $2, $3, $4, to_timestamp($5 / 1000.0))',
      [event.id, event.org, event.type, event.payload, event.ts],
    );
    for (const [rule, count] of firings) {
      await client.query(
        'insert into notifications(org_id, rule_id, event_id, count, status) values ($1, $2, $3, $4, $5)',
        [event.org, rule.id, event.id, count, 'pending'],
      );
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

async function handle({ data: event }) {
  const window = `org:${event.org}:events:${event.type}`;
  await redis.zadd(window, event.ts, event.id);
  try {
    const firings = await judge(event, window);
    await store(event, firings);
    const sent = event.payload?.sent; // when the load generator sent it, for the latency benchmark
    for (const [rule, count] of firings) {
      await outbox.add('n', { rule: rule.id, url: rule.url, n: count, ts: event.ts, sent });
    }
  } catch (error) {
    await redis.zrem(window, event.id).catch(() => {});
    throw error;
  }
}

async function post({ data }) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(data.url, { method: 'POST', headers, body: JSON.stringify(data) });
  if (!answer.ok) throw new Error(`http ${answer.status}`);
}

new Worker('events', handle, { connection, concurrency: +(process.env.CONC || 50) });
new Worker('notify', post, { connection, concurrency: 10 });
console.log('worker up');
