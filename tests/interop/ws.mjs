// SPDX-License-Identifier: MIT
// The origin and the viewers of ws.sh, both with npm `ws`. The real programs are between them.
//   ws.mjs origin             prints its port and serves
//   ws.mjs viewer HOST PORT   runs all rows against HOST; prints a line per row and then
//                             "N passed, N failed, N skipped"
import { createRequire } from "node:module";
import { createHash } from "node:crypto";
import http from "node:http";
import path from "node:path";

const require = createRequire(path.join(process.env.WS_MODULES, "anchor.js"));
const WebSocket = require("ws");
const [role, host, port] = process.argv.slice(2);
const LARGE = 16 << 20;
const OFFERS = {
  plain: false,
  deflate: { threshold: 0 },
  "deflate-threshold": { threshold: 1024 },
  "deflate-no-takeover": { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
};
const digest = (data) => createHash("sha256").update(data).digest("hex");

function pattern(size) {
  const data = Buffer.alloc(size);
  for (let at = 0; at < size; at++) data[at] = (at * 7 + (at >> 8)) & 0xff;
  return data;
}

// ---- the origin: the path says what it does ----
function origin() {
  const server = http.createServer((_, answer) => answer.end("beside"));
  const make = (perMessageDeflate) => new WebSocket.Server({
    noServer: true, perMessageDeflate, maxPayload: LARGE + 1024,
    handleProtocols: (offered) => (offered.has("chat.v2") ? "chat.v2" : false),
  });
  const sockets = Object.fromEntries(Object.entries(OFFERS).map(([offer, deflate]) => [offer, make(deflate)]));
  server.on("upgrade", (request, socket, early) => {
    const [, offer, act, ...words] = request.url.split("/");
    sockets[offer].handleUpgrade(request, socket, early, (peer) => acts[act](peer, ...words));
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

const closes = {}; // viewer's name -> code and reason of the Close that the origin got
const acts = {
  echo: (peer) => peer.on("message", (data, binary) => peer.send(data, { binary })),
  first: (peer) => { peer.send("first"); acts.echo(peer); }, // sends a message right after the 101
  pieces: (peer, count, size) => {
    const whole = pattern(count * size);
    for (let n = 0; n < count; n++) peer.send(whole.subarray(n * size, (n + 1) * size), { fin: n === count - 1 });
  },
  digest: (peer) => peer.on("message", (data) => peer.send(digest(data))),
  close: (peer, code, reason = "") => (code === "none" ? peer.close() : peer.close(Number(code), reason)),
  heard: (peer, name) => peer.on("close", (code, reason) => { closes[name] = `${code} ${reason}`; }),
  tell: (peer, name) => {
    const look = setInterval(() => {
      if (closes[name] === undefined) return;
      clearInterval(look);
      peer.send(closes[name]);
    }, 5);
    peer.on("close", () => clearInterval(look));
  },
  pings: (peer, count) => {
    let next = 0;
    peer.on("pong", (data) => {
      if (Number(data) !== next++) peer.close(4001, "order");
      else if (next === Number(count)) peer.send("all");
    });
    for (let n = 0; n < count; n++) peer.ping(String(n));
  },
  terminate: (peer) => peer.terminate(),
};

// ---- viewers ----
const connect = (where, protocols = [], options = {}) => new WebSocket(`ws://127.0.0.1:${port}/${where}`, protocols, {
  headers: { Host: host }, perMessageDeflate: OFFERS[where.split("/")[0]], maxPayload: LARGE + 1024, ...options });
const event = (peer, name) => new Promise((done, fail) => {
  peer.once(name, (...got) => done(got));
  if (name !== "error") peer.once("error", fail);
});
const message = async (peer) => (await event(peer, "message"))[0];

async function open(...given) {
  const peer = connect(...given);
  await event(peer, "open");
  return peer;
}

function same(got, wanted, what) {
  if (String(got) === String(wanted)) return;
  throw new Error(`${what}: ${String(got).slice(0, 80)}, wanted ${String(wanted).slice(0, 80)}`);
}

const rows = {};
for (const offer of Object.keys(OFFERS)) {
  rows[`${offer}: negotiated`] = async () => {
    const peer = await open(`${offer}/echo`);
    same(peer.extensions.includes("permessage-deflate"), offer !== "plain", "extension");
    const agreed = Object.keys(peer._extensions["permessage-deflate"]?.params ?? {}); // `ws` has no public name
    for (const side of ["server", "client"])
      same(agreed.includes(`${side}_no_context_takeover`), offer.endsWith("takeover"), side);
    peer.terminate();
  };
  rows[`${offer}: sizes to 16 MiB both ways`] = async () => {
    const peer = await open(`${offer}/echo`);
    for (const size of [0, 1, 125, 126, 65535, 65536, 65536, LARGE]) {
      const data = pattern(size);
      peer.send(data);
      same(digest(await message(peer)), digest(data), size);
    }
    peer.terminate();
  };
  rows[`${offer}: fragments`] = async () => {
    for (const [count, size] of [[2, 1], [1000, 1], [100, 1000], [5, 70000]]) {
      const down = await open(`${offer}/pieces/${count}/${size}`);
      down.terminate();
      const peer = await open(`${offer}/digest`);
      const whole = pattern(count * size);
      for (let n = 0; n < count; n++) {
        peer.send(whole.subarray(n * size, (n + 1) * size), { fin: n === count - 1 });
        if (n % 10 === 0) peer.ping("between");
      }
      same(await message(peer), digest(whole), `${count} of ${size}`);
      peer.terminate();
    }
    const late = connect(`${offer}/pieces/300/333`);
    same(digest(await message(late)), digest(pattern(300 * 333)), "down");
    late.terminate();
  };
}

const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
for (const code of [...codes, "none"]) {
  for (const reason of code === "none" ? [""] : ["", "r".repeat(123)]) {
    const wanted = `${code === "none" ? 1005 : code} ${reason}`;
    rows[`close ${code} ${reason ? "with" : "without"} a reason, by the origin`] = async () => {
      const [got, why] = await event(connect(`plain/close/${code}/${reason}`), "close");
      same(`${got} ${why}`, wanted, "close");
    };
    rows[`close ${code} ${reason ? "with" : "without"} a reason, by the viewer`] = async () => {
      const name = `${code}-${reason.length}`;
      const peer = await open(`plain/heard/${name}`);
      const back = event(peer, "close");
      code === "none" ? peer.close() : peer.close(code, reason);
      same((await back)[0], wanted.split(" ")[0], "echo of the close");
      const teller = connect(`plain/tell/${name}`);
      same(await message(teller), wanted, "the origin got");
      teller.terminate();
    };
  }
}
rows["terminate() by the viewer"] = async () => {
  const peer = await open("plain/heard/terminated");
  peer.terminate();
  const teller = connect("plain/tell/terminated");
  same(await message(teller), "1006 ", "the origin got");
  teller.terminate();
};
rows["terminate() by the origin"] = async () => {
  same((await event(connect("plain/terminate"), "close"))[0], 1006, "close");
};
rows["5,000 pings by the origin"] = async () => {
  const peer = connect("plain/pings/5000");
  same(await message(peer), "all", "pongs");
  peer.terminate();
};
rows["5,000 pings by the viewer"] = async () => {
  const peer = await open("plain/echo");
  await new Promise((done, fail) => {
    let next = 0;
    peer.on("pong", (data) => {
      if (Number(data) !== next) fail(new Error(`pong ${data} for ${next}`));
      else if (++next === 5000) done();
    });
    peer.on("close", () => fail(new Error("closed")));
    for (let n = 0; n < 5000; n++) peer.ping(String(n));
  });
  peer.terminate();
};
rows["subprotocol chosen"] = async () => {
  const peer = await open("plain/echo", ["chat.v1", "chat.v2"]);
  same(peer.protocol, "chat.v2", "protocol");
  peer.terminate();
};
rows["subprotocol refused"] = async () => {
  const error = await event(connect("plain/echo", ["other"]), "error");
  same(error[0].message, "Server sent no subprotocol", "error");
};
rows["a message right behind the 101"] = async () => {
  const peer = connect("plain/first");
  same(await message(peer), "first", "message");
  peer.terminate();
};
rows["200 sockets and 100 requests at once"] = async () => {
  const peers = await Promise.all(Array.from({ length: 200 }, (_, n) => open(`${n % 2 ? "deflate" : "plain"}/echo`)));
  const ask = (done, fail) => http.get({ host: "127.0.0.1", port, headers: { Host: host } }, (answer) => {
    answer.resume();
    answer.on("end", () => done(answer.statusCode));
  }).on("error", fail);
  const asked = Array.from({ length: 100 }, () => new Promise(ask));
  const echoes = peers.map((peer, n) => { peer.send(`${n}`.repeat(500)); return message(peer); });
  (await Promise.all(echoes)).forEach((got, n) => same(got, `${n}`.repeat(500), n));
  (await Promise.all(asked)).forEach((status) => same(status, 200, "status"));
  peers.forEach((peer) => peer.terminate());
};

async function viewer() {
  const count = { passed: 0, failed: 0 };
  for (const [name, row] of Object.entries(rows)) {
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("not within 60 s")), 60000); });
    const error = await Promise.race([row(), late]).then(() => null, (reason) => reason);
    clearTimeout(timer);
    count[error ? "failed" : "passed"]++;
    console.log(error ? `FAILED ${name}: ${error.message}` : `ok     ${name}`);
  }
  console.log(`${count.passed} passed, ${count.failed} failed, 0 skipped`);
  process.exit(count.failed ? 1 : 0);
}

await (role === "origin" ? origin() : viewer());
