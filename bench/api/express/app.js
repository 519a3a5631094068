'use strict';

// The contract of the course's API as one would write it in Express: same routes, same environment, same metrics with their
// labels and buckets. Written to be measured fairly: production mode, keep-alive, a pool, nothing logged for each request.

const express = require('express');
const { Pool } = require('pg');
const prometheus = require('prom-client');
const { createClient } = require('redis');

const KEY = 'data_cache';
const LIFETIME_SECONDS = 60;

const registry = new prometheus.Registry();
prometheus.collectDefaultMetrics({ register: registry });
const requests = new prometheus.Counter({
  name: 'app_requests_total',
  help: 'Requests',
  labelNames: ['endpoint', 'method'],
  registers: [registry],
});
const latency = new prometheus.Histogram({
  name: 'app_request_latency_seconds',
  help: 'Time to answer',
  labelNames: ['endpoint'],
  buckets: [0.1, 0.5, 1, 2, 5],
  registers: [registry],
});

const redis = createClient({
  socket: { host: process.env.REDIS_HOST, port: Number(process.env.REDIS_PORT) },
  password: process.env.REDIS_PASSWORD,
});
redis.on('error', (error) => console.error('redis:', error.message));
redis.connect().catch(() => {}); // told by the listener above; the client goes on trying

const postgres = new Pool({
  host: process.env.DB_HOST,
  port: Number(process.env.DB_PORT),
  database: process.env.DB_NAME,
  user: process.env.DB_USER,
  password: process.env.DB_PASSWORD,
});
postgres.on('error', (error) => console.error('postgres:', error.message));

async function readData() {
  const cached = await redis.get(KEY);
  if (cached) return { data: cached, source: 'cache' };
  const { rows } = await postgres.query('SELECT now()');
  const data = rows[0].now.toISOString();
  await redis.set(KEY, data, { EX: LIFETIME_SECONDS });
  return { data, source: 'database' };
}

const app = express();

app.get('/health', (request, response) => {
  requests.inc({ endpoint: '/health', method: 'GET' });
  response.json({ status: 'healthy' });
});

app.get('/api/data', async (request, response) => {
  requests.inc({ endpoint: '/api/data', method: 'GET' });
  const stop = latency.startTimer({ endpoint: '/api/data' });
  try {
    response.json(await readData());
  } catch (error) {
    console.error('/api/data:', error.message);
    response.status(500).json({ error: 'Internal server error' });
  } finally {
    stop();
  }
});

app.get('/metrics', async (request, response) => {
  response.set('Content-Type', registry.contentType);
  response.end(await registry.metrics());
});

const server = app.listen(Number(process.env.PORT), process.env.BIND_ADDRESS);
process.once('SIGTERM', () => {
  server.closeAllConnections();
  server.close(() => process.exit(0));
});
