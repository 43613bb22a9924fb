/** Inputs that upgrade the connection, to the peers' path and elsewhere, and frames that no peer sends. RFC 6455 §4, §5. */
import { answered, closing, frame, get, openSocket, post, type RawInput, record, survived } from "./Input.ts"

const required = "426 websocket-required"
const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)
const opened = openSocket()
const plainOpening = (...headers: ReadonlyArray<string>) => get("/_raft", "connection: Upgrade", ...headers)
const key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="

const handshakes: ReadonlyArray<RawInput> = [
  answered("the peers' path without an upgrade", [get("/_raft")], [required]),
  {
    name: "a WebSocket without a key",
    steps: [plainOpening("upgrade: websocket", "sec-websocket-version: 13")],
    answers: [required]
  },
  { name: "a WebSocket with a short key", steps: [openSocket({ key: "A" })], answers: [required] },
  {
    name: "a WebSocket with a key that is no base64",
    steps: [openSocket({ key: "!".repeat(24) })],
    answers: [required]
  },
  { name: "a WebSocket of version 8", steps: [openSocket({ version: "8" })], answers: [required] },
  { name: "a WebSocket of no version", steps: [plainOpening("upgrade: websocket", key)], answers: [required] },
  {
    name: "a WebSocket from a page",
    steps: [plainOpening("upgrade: websocket", key, "sec-websocket-version: 13", "origin: http://a")],
    answers: ["403 not-a-peer"]
  },
  { name: "a WebSocket elsewhere", steps: [openSocket({ path: "/livez" })], answers: ["200"] },
  { name: "a WebSocket where nothing is", steps: [openSocket({ path: "/no" })], answers: ["404 not-found"] },
  {
    name: "an upgrade to HTTP/2",
    steps: [
      get("/livez", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA")
    ],
    answers: ["200"]
  },
  {
    name: "an unknown upgrade to the peers' path",
    steps: [get("/_raft", "connection: Upgrade", "upgrade: foo")],
    answers: [required]
  },
  answered("Upgrade without Connection", [get("/livez", "upgrade: websocket")], ["200"]),
  survived("Connection: Upgrade without Upgrade", get("/livez", "connection: Upgrade")),
  survived(
    "a malformed Host and an upgrade",
    "GET /_raft HTTP/1.1\r\nhost: a b\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
  ),
  {
    name: "a write that asks for an upgrade",
    steps: [post(record, "connection: Upgrade", "upgrade: foo")],
    answers: ["201"]
  },
  survived(
    "a write that asks for a WebSocket",
    post(record, "connection: Upgrade", "upgrade: websocket", key, "sec-websocket-version: 13")
  ),
  survived(
    "half a body of an upgrade, and the end",
    post(record, "connection: Upgrade", "upgrade: foo").slice(0, -5),
    "end"
  ),
  survived(
    "half a body of an upgrade, and a reset",
    post(record, "connection: Upgrade", "upgrade: foo").slice(0, -5),
    { pauseMs: 20 },
    "reset"
  ),
  survived("a WebSocket, and a reset at once", opened, "reset"),
  survived("a WebSocket, and the end at once", opened, "end")
]

/** What a stranger sends once the socket is open; a node ends the link soon. */
const sent = (name: string, ...frames: ReadonlyArray<Uint8Array>): RawInput =>
  closing(name, [opened, { answers: 1 }, ...frames], "101")

const frames: ReadonlyArray<RawInput> = [
  sent("silence"),
  sent("reserved bits", bytes(0xf2, 0x80, 0, 0, 0, 0)),
  sent("an unknown opcode", bytes(0x8f, 0x80, 0, 0, 0, 0)),
  sent("a frame without a mask", bytes(0x82, 0x01, 0x00)),
  sent("all ones", bytes(...Array.from({ length: 64 }, () => 0xff))),
  sent("a frame of 2^63 bytes", bytes(0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)),
  sent("a frame of a gigabyte", bytes(0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0)),
  sent("a ping that is too long", bytes(0x89, 0xfe, 0x00, 0x80, 0, 0, 0, 0, ...new Uint8Array(128))),
  sent("a ping in pieces", bytes(0x09, 0x80, 0, 0, 0, 0)),
  sent("the rest of nothing", bytes(0x80, 0x80, 0, 0, 0, 0)),
  sent("a second beginning", frame(0x02, bytes(1)), frame(0x02, bytes(2))),
  sent("text that is no UTF-8", frame(0x81, bytes(0xff, 0xfe))),
  sent("an empty message", frame(0x82, bytes())),
  sent("a message of zeros", frame(0x82, new Uint8Array(100))),
  sent(
    "a message of noise",
    frame(
      0x82,
      Uint8Array.from({ length: 1_000 }, (_, at) => (at * 151) % 256)
    )
  ),
  sent("a message in text", frame(0x81, Buffer.from("hello"))),
  sent("a close without a code", frame(0x88, bytes())),
  sent("a close of half a code", frame(0x88, bytes(3))),
  sent("a close of a code that is none", frame(0x88, bytes(0, 5))),
  sent("a close with a reason that is no UTF-8", frame(0x88, bytes(0x03, 0xe8, 0xff))),
  sent(
    "a thousand pings, and a close",
    ...Array.from({ length: 1_000 }, () => frame(0x89, bytes())),
    frame(0x88, bytes(0x03, 0xe8))
  ),
  survived("half a frame, and the end", opened, { answers: 1 }, bytes(0x82, 0x85, 0, 0), "end"),
  survived("half a frame, and a reset", opened, { answers: 1 }, bytes(0x82, 0x85, 0, 0), "reset"),
  survived("half a message, and a reset", opened, { answers: 1 }, frame(0x02, bytes(1, 2, 3)), "reset"),
  survived("a frame right behind the handshake", `${opened}\xff\xff\xff\xff`),
  survived("a request on an open WebSocket", opened, { answers: 1 }, get())
]

export const upgrades: ReadonlyArray<RawInput> = [...handshakes, ...frames]
