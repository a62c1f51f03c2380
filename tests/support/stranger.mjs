// SPDX-License-Identifier: MIT
// A tunnel client in 60 lines of Node without our code: registers, attaches, speaks HTTP/2.
//     node stranger.mjs https://localhost:PORT NAME CA_FILE
// Answers GET with a line and POST with its body, and echoes WebSocket messages of up to 125 bytes.
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import tls from "node:tls";
import { fileURLToPath } from "node:url";

function register(base, name, ca) {
  return new Promise((resolve, reject) => https.get(`${base}/register/${name}`, { ca, agent: false }, response => {
    response.on("data", text => resolve(JSON.parse(text)));
  }).on("error", reject));
}

export function attach({ attach: url, ticket }, ca, speak) { // calls speak(socket) when the link is up
  const { hostname: name, port, host, pathname } = new URL(url);
  const socket = tls.connect({ host: name, port: port || 443, servername: name, ca, ALPNProtocols: ["http/1.1"] });
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n` +
    `Authorization: Bearer ${ticket}\r\n\r\n`);
  let seen = Buffer.alloc(0);
  socket.on("data", function onHead(data) {
    seen = Buffer.concat([seen, data]);
    const end = seen.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!seen.toString("latin1").startsWith("HTTP/1.1 101 ")) return socket.destroy(new Error(seen.toString("latin1")));
    socket.off("data", onHead).pause();
    if (seen.length > end + 4) socket.unshift(seen.subarray(end + 4));
    speak(socket);
  });
  return socket;
}

function speakHttp2(socket) {
  socket.alpnProtocol = "h2"; // it is http/1.1, and Node's server would speak that
  http2.createServer({ settings: { enableConnectProtocol: true } }).on("stream", serve).emit("connection", socket);
}

function serve(stream, fields) {
  stream.on("error", () => {});
  if (fields[":protocol"] === "websocket") return serveWebSocket(stream);
  stream.respond({ ":status": 200, "content-type": "text/plain" });
  if (fields[":method"] === "POST") stream.pipe(stream);
  else stream.end(`${fields[":method"]} ${fields[":path"]} served by a stranger\n`);
}

function serveWebSocket(stream) {
  stream.respond({ ":status": 200 });
  stream.on("data", frame => {
    const length = frame[1] & 127, close = (frame[0] & 15) === 8;
    const payload = frame.subarray(6, 6 + length).map((byte, i) => byte ^ frame[2 + i % 4]);
    stream[close ? "end" : "write"](Buffer.concat([Buffer.from([frame[0], length]), payload]));
  });
  stream.on("end", () => stream.end());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) { // runs as a program
  const [base, name, caFile] = process.argv.slice(2), ca = readFileSync(caFile);
  register(base, name, ca).then(answer => { attach(answer, ca, speakHttp2); console.log(answer.url); });
}
