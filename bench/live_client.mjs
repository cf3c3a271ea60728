// Many WebSockets on one event's live feed, a buyer beside them, and what every socket got when. Node's own modules only.
//
// node live_client.mjs '{"port","event","sockets","stalled","rate","seconds"}'
// Writes JSON lines: {"connected"} once all sockets are open; then waits for a line on standard input; then {"told"} when
// those that read have everything; then the result.
import http from "node:http";
import net from "node:net";
import crypto from "node:crypto";
import readline from "node:readline";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

const now = () => performance.timeOrigin + performance.now();

// ---- the buyer, in a thread of its own so that its clock does not wait for frames -----------------------------------
async function buy({ port, event, rate, seconds }) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const answers = [];
  const failures = [];
  const one = () =>
    new Promise((done) => {
      const body = '{"quantity":1}';
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": body.length,
        "Idempotency-Key": crypto.randomUUID(),
      };
      const path = `/api/v1/events/${event}/purchases`;
      const request = http.request({ port, path, method: "POST", headers, agent }, (response) => {
        const answered = now();
        let text = "";
        response.on("data", (part) => (text += part));
        response.on("end", () => {
          if (response.statusCode === 200) answers.push([seqOf(JSON.parse(text).position), answered]);
          else failures.push(text);
          done();
        });
      });
      request.on("error", (error) => (failures.push(String(error)), done()));
      request.end(body);
    });
  const began = now();
  const pending = [];
  for (let n = 0; n < rate * seconds; n++) {
    const wait = began + (n * 1000) / rate - now();
    if (wait > 0) await new Promise((go) => setTimeout(go, wait));
    pending.push(one());
  }
  await Promise.all(pending);
  agent.destroy();
  parentPort.postMessage({ answers, failures, tookMs: now() - began });
}

// ---- the sockets -----------------------------------------------------------------------------------------------------
const seqOf = (position) => Number(position.slice(position.indexOf("-") + 1));
const MARK = Buffer.from('"position":"');
const DASH = 45;
const QUOTE = 34;
// All sockets read into it, one after the other: a buffer for each read would cost more than what is done with it.
const RECEIVED = Buffer.allocUnsafe(1 << 18);

function seqIn(payload) {
  let at = payload.indexOf(DASH, payload.indexOf(MARK) + MARK.length) + 1;
  let seq = 0;
  for (; payload[at] !== QUOTE; at++) seq = seq * 10 + payload[at] - 48;
  return seq;
}

class Watcher {
  constructor(settings, since) {
    Object.assign(this, { settings, since, rest: null, open: false, code: null, wrong: 0, messages: 0, resumed: 0 });
    this.last = seqOf(since);
  }

  connect(since = this.since) {
    const { port, event } = this.settings;
    this.open = false;
    this.code = null;
    this.rest = null;
    return new Promise((done, fail) => {
      const callback = (size, buffer) => (this.read(buffer.subarray(0, size), done, fail), true);
      const socket = (this.socket = net.connect({ port, host: "127.0.0.1", onread: { buffer: RECEIVED, callback } }));
      socket.setNoDelay(true);
      socket.on("error", (error) => (this.open ? (this.code ??= 1006) : fail(error)));
      socket.on("close", () => (this.code ??= 1006));
      socket.write(
        `GET /api/v1/events/${event}/live?since=${since} HTTP/1.1\r\nHost: localhost:${port}\r\nUpgrade: websocket\r\n` +
          `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ` +
          `${crypto.randomBytes(16).toString("base64")}\r\n\r\n`,
      );
    });
  }

  read(data, done, fail) {
    if (this.rest) data = Buffer.concat([this.rest, data]);
    let at = 0;
    if (!this.open) {
      const end = data.indexOf("\r\n\r\n");
      if (end < 0) return void (this.rest = Buffer.from(data));
      if (!data.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101"))) return fail(new Error(data.toString("latin1")));
      this.open = true;
      at = end + 4;
      done();
    }
    const arrived = now();
    for (;;) {
      if (data.length - at < 2) break;
      let size = data[at + 1];
      let head = 2;
      if (size === 126) {
        if (data.length - at < 4) break;
        size = data.readUInt16BE(at + 2);
        head = 4;
      } else if (size === 127) throw new Error("no message is that long");
      if (data.length - at < head + size) break;
      this.frame(data[at] & 15, data.subarray(at + head, at + head + size), arrived);
      at += head + size;
    }
    this.rest = at < data.length ? Buffer.from(data.subarray(at)) : null;
  }

  frame(opcode, payload, arrived) {
    if (opcode === 9) return void this.socket.write(Buffer.concat([Buffer.from([0x8a, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
    if (opcode === 8) {
      this.code = payload.readUInt16BE(0);
      this.socket.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, payload[0], payload[1]]));
      return;
    }
    const seq = seqIn(payload);
    if (seq !== this.last + 1) this.wrong++;
    this.last = seq;
    this.messages++;
    if (this.arrivals) this.arrivals[seq - this.first - 1] = arrived;
  }
}

const until = async (condition, withinMs) => {
  const end = now() + withinMs;
  while (!condition() && now() < end) await new Promise((go) => setTimeout(go, 20));
  return condition();
};

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

async function watch(settings) {
  const { port, event, sockets, stalled, rate, seconds } = settings;
  const seats = await (await fetch(`http://127.0.0.1:${port}/api/v1/events/${event}/seats`)).json();
  const watchers = Array.from({ length: sockets }, () => new Watcher(settings, seats.position));
  for (let n = 0; n < sockets; n += 100) await Promise.all(watchers.slice(n, n + 100).map((one) => one.connect()));
  const lazy = watchers.slice(0, stalled);
  const lively = watchers.slice(stalled);
  for (const one of lively) Object.assign(one, { first: one.last, arrivals: new Float64Array(rate * seconds) });
  console.log(JSON.stringify({ connected: sockets }));
  await new Promise((go) => readline.createInterface({ input: process.stdin }).once("line", go));

  for (const one of lazy) one.socket.pause();
  const used = process.cpuUsage();
  const bought = await new Promise((done) => {
    new Worker(new URL(import.meta.url), { workerData: settings }).once("message", done);
  });
  const last = Math.max(...bought.answers.map(([seq]) => seq));
  const whole = await until(() => lively.every((one) => one.last === last), 20_000);

  const { user, system } = process.cpuUsage(used);
  console.log(JSON.stringify({ told: last }));

  // Those that did not read: what was sent before they were given up, then the farewell; then they come back.
  const codes = {};
  for (const one of lazy) one.socket.resume();
  await until(() => lazy.every((one) => one.code !== null || one.last === last), 5_000);
  for (const one of lazy) {
    codes[one.code ?? "open"] = (codes[one.code ?? "open"] ?? 0) + 1;
    if (one.code !== null) await one.connect(`${seats.position.split("-")[0]}-${one.last}`);
  }
  const resumed = await until(() => lazy.every((one) => one.last === last), 20_000);

  const first = seqOf(seats.position);
  const latencies = new Float64Array(lively.length * bought.answers.length);
  let count = 0;
  let missing = 0;
  for (const [seq, answered] of bought.answers) {
    for (const one of lively) {
      const arrived = one.arrivals[seq - first - 1];
      if (arrived) latencies[count++] = Math.max(0, arrived - answered);
      else missing++;
    }
  }
  const sorted = latencies.subarray(0, count).sort();
  console.log(
    JSON.stringify({
      sockets,
      stalled,
      changesPerSecond: rate,
      seconds: Math.round(bought.tookMs / 100) / 10,
      changes: bought.answers.length,
      failedPurchases: bought.failures.length,
      messages: lively.reduce((sum, one) => sum + one.messages, 0),
      missing,
      outOfOrder: watchers.reduce((sum, one) => sum + one.wrong, 0),
      everyoneHasEverything: whole && resumed,
      closedUnasked: lively.filter((one) => one.code !== null).length,
      clientCpuShare: Math.round((user + system) / 10 / bought.tookMs) / 100,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
      maxMs: sorted[count - 1],
      stalledClosedWith: codes,
    }),
  );
  process.exit(0);
}

if (isMainThread) await watch(JSON.parse(process.argv[2]));
else await buy(workerData);
