// SPDX-License-Identifier: MIT
// A tunnel client in 60 lines of Node, with nothing of ours: register, attach, HTTP/2 on the dialled socket.
//     node stranger.mjs https://localhost:PORT NAME CA_FILE
// Answers GET with a line, a POST with its body, and echoes WebSocket messages (of up to 125 octets).
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

export function attach({ attach: url, ticket }, ca, speak) { // speak(socket) once the link is there
  const { hostname, port, host, pathname } = new URL(url);
  const socket = tls.connect({ host: hostname, port: port || 443, servername: hostname, ca, ALPNProtocols: ["http/1.1"] });
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n` +
    `Authorization: Bearer ${ticket}\r\n\r\n`);
  let seen = Buffer.alloc(0);
  socket.on("data", function onHead(data) {
    seen = Buffer.concat([seen, data]);
    const end = seen.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!seen.toString("latin1").startsWith("HTTP/1.1 101 ")) return socket.destroy(new Error(seen.toString("latin1")));
    socket.off("data", onHead);
    socket.pause();
    if (seen.length > end + 4) socket.unshift(seen.subarray(end + 4));
    speak(socket);
  });
  return socket;
}

function speakHttp2(socket) {
  socket.alpnProtocol = "h2"; // it was http/1.1, and a server of Node's goes by it
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
    const length = frame[1] & 127, payload = frame.subarray(6, 6 + length).map((octet, i) => octet ^ frame[2 + i % 4]);
    stream[(frame[0] & 15) === 8 ? "end" : "write"](Buffer.concat([Buffer.from([frame[0], length]), payload])); // 8: Close
  });
  stream.on("end", () => stream.end());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) { // no one imports it
  const [base, name, caFile] = process.argv.slice(2), ca = readFileSync(caFile);
  register(base, name, ca).then(answer => { attach(answer, ca, speakHttp2); console.log(answer.url); });
}
