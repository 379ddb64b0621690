// Drives the unmodified Agent Relay SDK against a Posthouse daemon and compares replies by content.
// Usage: node checks.mjs SOCKET SDK_DIRECTORY. Prints a line per check; the first that fails ends it with exit code 1.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';

const [socketPath, sdk] = process.argv.slice(2);
const { RelayClient } = await import(pathToFileURL(`${sdk}/dist/index.js`));

const PATIENCE = 20_000;
const open = [];

async function connect(agentName, more = {}) {
  const client = new RelayClient({ socketPath, agentName, quiet: true, reconnectDelayMs: 50, ...more });
  client.got = [];
  client.waiting = [];
  client.onMessage = (from, payload, id, meta, originalTo) => {
    client.got.push({ from, payload, id, meta, originalTo });
    client.waiting.splice(0).forEach((wake) => wake());
  };
  client.onError = () => {};
  open.push(client);
  await client.connect();
  return client;
}

// Resolves with the first message that `is` true of, past or future.
async function message(client, is) {
  const begun = Date.now();
  for (;;) {
    const found = client.got.find(is);
    if (found) return found;
    if (Date.now() - begun > PATIENCE) throw new Error(`${client.agentName} got ${client.got.length} messages, not the one`);
    await new Promise((wake) => {
      const timer = setTimeout(wake, PATIENCE);
      client.waiting.push(() => {
        clearTimeout(timer);
        wake();
      });
    });
  }
}

async function until(what, is) {
  const begun = Date.now();
  while (!(await is())) {
    if (Date.now() - begun > PATIENCE) throw new Error(`waited in vain for ${what}`);
    await new Promise((wake) => setTimeout(wake, 5));
  }
}

const checks = {
  async 'connect, send, receive'() {
    const alice = await connect('Alice', { cli: 'claude', task: 'talk' });
    const bob = await connect('Bob');
    assert.equal(alice.state, 'READY');
    assert.ok(alice.currentSessionId);
    assert.ok(alice.sendMessage('Bob', 'hello "Bob" ☕', 'message', { n: 7 }, 'thread-1'));
    const got = await message(bob, (m) => m.payload.body === 'hello "Bob" ☕');
    assert.equal(got.from, 'Alice');
    assert.deepEqual(got.payload.data, { n: 7 });
    assert.equal(got.payload.thread, 'thread-1');
    return { alice, bob };
  },
  async 'blocking send'({ alice, bob }) {
    bob.onMessage = (from, payload, id, meta) => {
      const correlationId = meta?.sync?.correlationId;
      if (correlationId) bob.sendAck({ ack_id: id, seq: 0, correlationId, response: `did ${payload.body}`, responseData: { ok: true } });
    };
    const ack = await alice.sendAndWait('Bob', 'the dishes', { timeoutMs: 10_000 });
    assert.equal(ack.response, 'did the dishes');
    assert.deepEqual(ack.responseData, { ok: true });
  },
  async 'blocking send to nobody is answered at once'({ alice }) {
    const begun = Date.now();
    const answer = await alice.sendAndWait('Nobody', 'anyone?', { timeoutMs: 10_000 }).catch((error) => ({ response: 'ERROR', error }));
    assert.equal(answer.response, 'ERROR');
    assert.ok(Date.now() - begun < 1000, `it took ${Date.now() - begun} ms`);
  },
  async 'request and respond'({ alice, bob }) {
    bob.onMessage = (from, payload, id, meta) => {
      bob.respond(payload.data._correlationId, from, `answer to ${payload.body}`, { deep: [1, 2] });
    };
    const response = await alice.request('Bob', 'question', { timeout: 10_000, data: { a: 1 } });
    assert.equal(response.from, 'Bob');
    assert.equal(response.body, 'answer to question');
    assert.deepEqual(response.data.deep, [1, 2]);
    bob.onMessage = (from, payload, id, meta, originalTo) => {
      bob.got.push({ from, payload, id, meta, originalTo });
      bob.waiting.splice(0).forEach((wake) => wake());
    };
  },
  async 'status'({ alice }) {
    const status = await alice.getStatus();
    assert.match(status.version, /^\d+\.\d+\.\d+/);
    assert.ok(status.uptime >= 0 && status.agentCount >= 2, JSON.stringify(status));
    assert.equal(status.storage.driver, 'sqlite');
    assert.equal(status.storage.canWrite, true);
  },
  async 'an absent agent has an inbox, and gets it when it comes back'({ alice }) {
    const carol = await connect('Carol');
    carol.destroy();
    await until('Carol to leave', async () => !(await alice.listConnectedAgents()).some((a) => a.name === 'Carol'));
    for (const n of [1, 2, 3]) alice.sendMessage('Carol', `while away ${n}`);
    const again = await connect('Carol');
    await message(again, (m) => m.payload.body === 'while away 3');
    assert.deepEqual(again.got.map((m) => m.payload.body), ['while away 1', 'while away 2', 'while away 3']);
    const inbox = await again.getInbox({ limit: 10, from: 'Alice' });
    assert.ok(inbox.length >= 3 && inbox.every((m) => m.id && m.from === 'Alice' && m.timestamp > 0), JSON.stringify(inbox));
    assert.ok(inbox.some((m) => m.body === 'while away 2'));
  },
  async 'messages are found again'({ alice }) {
    const found = await alice.queryMessages({ to: 'Carol', limit: 2, order: 'asc' });
    assert.equal(found.length, 2);
    assert.deepEqual([found[0].from, found[0].to, found[0].body], ['Alice', 'Carol', 'while away 1']);
    const threaded = await alice.queryMessages({ thread: 'thread-1' });
    assert.equal(threaded.length, 1);
    assert.deepEqual(threaded[0].data, { n: 7 });
  },
  async 'lists, health, metrics'({ alice }) {
    const known = await alice.listAgents({ includeIdle: true });
    const me = known.find((a) => a.name === 'Alice');
    assert.equal(me.cli, 'claude');
    const connected = await alice.listConnectedAgents();
    assert.ok(['Alice', 'Bob', 'Carol'].every((name) => connected.some((a) => a.name === name)), JSON.stringify(connected));
    const health = await alice.getHealth();
    assert.ok(health.healthScore >= 0 && health.healthScore <= 100);
    for (const list of [health.issues, health.recommendations, health.crashes, health.alerts]) assert.ok(Array.isArray(list));
    assert.ok(health.stats.agentCount >= 3);
    const metrics = await alice.getMetrics();
    assert.ok(Array.isArray(metrics.agents) && metrics.system.totalMemory > 0 && metrics.system.heapUsed > 0);
  },
  async 'spawn, send to it, release'({ alice }) {
    const spawned = await alice.spawn({ name: 'Cat', cli: 'cat', task: '', waitForReady: true, readyTimeoutMs: 10_000 });
    assert.equal(spawned.success, true, JSON.stringify(spawned));
    assert.equal(spawned.ready, true);
    process.kill(spawned.pid, 0);
    assert.ok((await alice.listConnectedAgents()).some((a) => a.name === 'Cat' && a.pid === spawned.pid));
    const metrics = await alice.getMetrics({ agent: 'Cat' });
    assert.equal(metrics.agents[0].pid, spawned.pid);
    assert.ok(alice.sendMessage('Cat', 'meow'));
    const released = await alice.release('Cat', 'enough');
    assert.equal(released.success, true, JSON.stringify(released));
    assert.throws(() => process.kill(spawned.pid, 0));
    const again = await alice.release('Cat');
    assert.equal(again.success, false);
    assert.ok(again.error);
  },
  async 'what cannot start is said to'({ alice }) {
    const result = await alice.spawn({ name: 'Ghost', cli: '/no/such/program', task: '' });
    assert.equal(result.success, false);
    assert.match(result.error, /no\/such\/program|No such file/);
    assert.ok(!(await alice.listConnectedAgents()).some((a) => a.name === 'Ghost'));
  },
  async 'channels and broadcast'({ alice, bob }) {
    const heard = [];
    bob.onChannelMessage = (from, channel, body) => {
      heard.push({ from, channel, body });
      bob.waiting.splice(0).forEach((wake) => wake());
    };
    alice.joinChannel('#build');
    bob.joinChannel('#build');
    await alice.getStatus();
    await bob.getStatus();
    alice.sendChannelMessage('#build', 'it is green', { data: { run: 5 } });
    await until('the channel message', () => heard.length > 0);
    assert.deepEqual(heard[0], { from: 'Alice', channel: '#build', body: 'it is green' });
    bob.leaveChannel('#build');
    await bob.getStatus();
    alice.sendChannelMessage('#build', 'nobody hears');
    alice.broadcast('to everyone');
    const got = await message(bob, (m) => m.payload.body === 'to everyone');
    assert.equal(got.from, 'Alice');
    assert.equal(heard.length, 1);
  },
  async 'a broken connection resumes and loses nothing'({ alice }) {
    const dave = await connect('Dave');
    alice.sendMessage('Dave', 'before');
    await message(dave, (m) => m.payload.body === 'before');
    const session = dave.currentSessionId;
    dave.socket.destroy();
    for (let n = 0; n < 50; n++) alice.sendMessage('Dave', `meanwhile ${n}`);
    await message(dave, (m) => m.payload.body === 'meanwhile 49');
    assert.equal(dave.currentSessionId, session);
    const bodies = dave.got.map((m) => m.payload.body);
    assert.deepEqual(bodies, ['before', ...Array.from({ length: 50 }, (_, n) => `meanwhile ${n}`)]);
  },
  async 'a second client of a name is refused and the first stays'({ alice }) {
    const first = await connect('Twin');
    const second = new RelayClient({ socketPath, agentName: 'Twin', quiet: true, reconnect: false });
    second.onError = () => {};
    open.push(second);
    await second.connect().then(() => assert.fail('two primaries'), () => {});
    alice.sendMessage('Twin', 'which one?');
    await message(first, (m) => m.payload.body === 'which one?');
    assert.equal(first.state, 'READY');
    const person = { entityType: 'user' };
    const tabs = [await connect('Person', person), await connect('Person', person)];
    assert.deepEqual(tabs.map((tab) => tab.state), ['READY', 'READY']);
  },
  async 'a burst of 5,000 arrives whole and in order'({ alice }) {
    const erin = await connect('Erin');
    const count = 5000;
    for (let n = 0; n < count; n++) alice.sendMessage('Erin', `${n}`);
    await message(erin, (m) => m.payload.body === `${count - 1}`);
    assert.deepEqual(erin.got.map((m) => m.payload.body), Array.from({ length: count }, (_, n) => `${n}`));
  },
  async 'an absent name is forgotten on request'({ alice }) {
    const frank = await connect('Frank');
    frank.destroy();
    await until('Frank to leave', async () => !(await alice.listConnectedAgents()).some((a) => a.name === 'Frank'));
    assert.equal((await alice.removeAgent('Frank')).removed, true);
    assert.equal((await alice.removeAgent('Frank')).removed, false);
  },
};

let cast = {};
for (const [name, check] of Object.entries(checks)) {
  try {
    cast = { ...cast, ...(await check(cast)) };
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAILED ${name}: ${error.stack ?? error}`);
    process.exit(1);
  }
}
open.forEach((client) => client.destroy());
process.exit(0);
