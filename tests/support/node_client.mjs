// SPDX-License-Identifier: MIT
// A tunnel client that uses Node's http2 and http: HTTP/2 on the socket that stranger.mjs dials,
// HTTP/1.1 to an origin on a port of this machine.
//     node node_client.mjs https://localhost:PORT NAME TICKET CA_FILE ORIGIN_PORT [MAX_STREAMS]
// The client attaches again after a link has ended, or when the server asks it to leave a link.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { attach } from "./stranger.mjs";

const [base, name, ticket, caFile, originPort, maxStreams] = process.argv.slice(2);
const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CONNECT_ERROR, NGHTTP2_FLAG_END_STREAM } = http2.constants;
const ca = readFileSync(caFile);
const settings = { enableConnectProtocol: true, initialWindowSize: 1 << 18 };
if (maxStreams) settings.maxConcurrentStreams = Number(maxStreams);
const hopByHop = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"];

// ---- the link ----
function link() {
  const again = () => setTimeout(link, 50);
  const socket = attach({ attach: `${base}/tunnel/${name}`, ticket }, ca, taken => {
    taken.off("close", again);
    speakHttp2(taken, again);
  });
  socket.on("error", error => console.error(error.message)).once("close", again);
}

function speakHttp2(socket, again) {
  const server = http2.createServer({ settings, maxHeaderListPairs: 200, maxSessionMemory: 1000 });
  let replaced = false;
  const replace = () => { if (!replaced) again(); replaced = true; };
  server.on("stream", serve).on("sessionError", () => {});
  server.on("session", session => {
    session.once("localSettings", () => session.setLocalWindowSize(1 << 24)); // our SETTINGS have to come first
    session.on("goaway", replace).on("close", replace).on("error", () => {});
  });
  socket.alpnProtocol = "h2"; // it is http/1.1, and Node's server would speak that
  server.emit("connection", socket);
}

// ---- requests ----
function serve(stream, fields, flags, raw) {
  stream.on("error", () => {});
  if (fields[":protocol"]) return serveWebSocket(stream, fields, raw);
  forward(stream, fields, raw, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
}

// Returns the header lines of the origin's request: the fields in their order, cookies in one line
// (RFC 9113 8.2.3).
function lines(fields, raw, more) {
  const said = ["Host", fields[":authority"]], cookies = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i] === "cookie") cookies.push(raw[i + 1]);
    else if (!raw[i].startsWith(":") && raw[i] !== "te") said.push(raw[i], raw[i + 1]);
  }
  if (cookies.length) said.push("cookie", cookies.join("; "));
  return [...said, ...more];
}

// Returns fields in the form that Node wants for an answer or for trailers, without those that
// belong to one connection.
function answerFields(raw, status) {
  const found = status ? { ":status": status } : {}, named = [...hopByHop];
  if (!status || status === 204 || status === 205) named.push("content-length"); // there is no body
  const words = text => text.toLowerCase().split(",").map(word => word.trim());
  for (let i = 0; i < raw.length; i += 2)
    if (raw[i].toLowerCase() === "connection") named.push(...words(raw[i + 1]));
  for (let i = 0; i < raw.length; i += 2) {
    const key = raw[i].toLowerCase();
    if (named.includes(key) || key.startsWith("oneport-")) continue;
    found[key] = key in found ? [].concat(found[key], raw[i + 1]) : raw[i + 1];
  }
  return found;
}

function framing(fields, bodiless) {
  if (fields["content-length"] !== undefined) return [];
  if (!bodiless) return ["Transfer-Encoding", "chunked"];
  return ["GET", "HEAD", "OPTIONS", "DELETE"].includes(fields[":method"]) ? [] : ["Content-Length", "0"];
}

// Starts a request on a connection of its own (other_clients.py says why), which ends with the
// stream.
function ask(stream, method, path, headers) {
  const socket = net.connect({ port: originPort, host: "127.0.0.1", allowHalfOpen: true });
  stream.on("aborted", () => {
    stream.unpipe(); // otherwise the request would end as if it were complete
    if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
  });
  return http.request({ createConnection: () => socket, maxHeaderSize: 32_768, setHost: false, method, path, headers });
}

function forward(stream, fields, raw, bodiless) {
  const request = ask(stream, fields[":method"], fields[":path"], lines(fields, raw, framing(fields, bodiless)));
  const open = () => !stream.destroyed && !stream.headersSent;
  request.on("information", ({ statusCode, rawHeaders }) => {
    if (open() && (statusCode !== 100 || fields.expect)) stream.additionalHeaders(answerFields(rawHeaders, statusCode));
  });
  request.on("error", error => fail(stream, kindOf(error, request)));
  request.on("upgrade", (_, socket) => { // the request did not ask for one
    socket.destroy();
    fail(stream, "http_protocol_error");
  });
  request.on("response", response => answer(stream, request, response));
  if (bodiless) return request.end();
  stream.on("trailers", (_, flags, pairs) => request.addTrailers(inPairs(pairs)));
  request.flushHeaders();
  stream.pipe(request);
}

function inPairs(raw) {
  const pairs = [];
  for (let i = 0; i < raw.length; i += 2) pairs.push([raw[i], raw[i + 1]]);
  return pairs;
}

// Answers so that END_STREAM waits for trailers, even if there are none. Otherwise close() would
// send END_STREAM before it resets the stream.
function respond(stream, head, trailers) {
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => { if (!stream.closed) stream.sendTrailers(trailers()); });
}

function answer(stream, request, response) {
  if (stream.destroyed) return response.destroy();
  try {
    respond(stream, answerFields(response.rawHeaders, response.statusCode), () => answerFields(response.rawTrailers));
  } catch { // Node's http accepts some statuses and fields that its http2 refuses
    response.on("error", () => {});
    request.destroy();
    return fail(stream, "http_protocol_error");
  }
  response.on("error", () => {}).on("aborted", () => stream.close(NGHTTP2_INTERNAL_ERROR));
  response.on("end", () => {
    // The rest of the request is not needed.
    if (!request.writableFinished) stream.once("finish", () => stream.close(NGHTTP2_NO_ERROR));
  });
  response.pipe(stream);
}

// Reports a failure of the client as protocol.md#whose-failure says. The server then sends its own
// page.
function fail(stream, kind) {
  if (stream.headersSent) return stream.close(NGHTTP2_INTERNAL_ERROR);
  if (!stream.destroyed) stream.respond({ ":status": 502, "oneport-error": kind }, { endStream: true });
}

function kindOf({ code = "" }, request) {
  if (code === "ECONNREFUSED") return "connection_refused";
  if (code === "HPE_HEADER_OVERFLOW") return "http_response_header_section_size";
  if (code.startsWith("HPE_")) return "http_protocol_error";
  return request.socket?.bytesRead ? "http_response_incomplete" : "connection_terminated";
}

// ---- WebSockets ----
function serveWebSocket(stream, fields, raw) {
  const key = randomBytes(16).toString("base64");
  const headers = lines(fields, raw, ["Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", key]);
  const request = ask(stream, "GET", fields[":path"], headers);
  const refuse = () => { request.destroy(); fail(stream, "http_upgrade_failed"); };
  request.on("error", error => fail(stream, kindOf(error, request)));
  request.on("response", response => {
    if (response.statusCode < 300) return refuse();
    answer(stream, request, response);
  });
  request.on("upgrade", (response, socket, first) => {
    if (!accepted(fields, response.headers, key) || stream.destroyed) { socket.destroy(); return refuse(); }
    const { "sec-websocket-accept": _, ...head } = answerFields(response.rawHeaders, 200);
    respond(stream, head, () => ({}));
    splice(stream, socket, first);
  });
  request.end();
}

function accepted(fields, said, key) {
  const wanted = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  const chosen = said["sec-websocket-protocol"];
  const offered = (fields["sec-websocket-protocol"] ?? "").split(",").map(word => word.trim());
  return said.upgrade?.toLowerCase() === "websocket" && said["sec-websocket-accept"] === wanted &&
    (!chosen || offered.includes(chosen));
}

function splice(stream, socket, first) {
  socket.setNoDelay();
  socket.on("error", () => stream.close(NGHTTP2_CONNECT_ERROR));
  if (first.length) stream.write(first);
  socket.pipe(stream);
  stream.pipe(socket);
}

link();
