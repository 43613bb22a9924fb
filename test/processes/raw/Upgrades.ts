/** Inputs that upgrade the connection, on the peers' path and elsewhere, and bytes that no peer sends. RFC 9110 §7.8. */
import { encodeHello } from "../../../src/Raft/peers/Handshake.ts"
import { encodeFrame } from "../../../src/Raft/peers/Wire.ts"
import { handshakeFrame, makeFrame, pulseFrame, refusedFrame } from "../../../src/Raft/peers/WireFrame.ts"
import { answered, closing, get, lines, openPeer, post, type RawInput, record, survived } from "./Input.ts"

const required = "426 peer-protocol-required"
const bytes = (...values: ReadonlyArray<number>) => Uint8Array.from(values)
const opened = openPeer()
const upgrading = (...headers: ReadonlyArray<string>) => get("/_raft", "connection: Upgrade", ...headers)
const webSocket = [
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="
] as const

const handshakes: ReadonlyArray<RawInput> = [
  answered("the peers' path without an upgrade", [get("/_raft")], [required]),
  answered("the peers' token without Connection", [get("/_raft", "upgrade: lithair-peer")], [required]),
  survived("Connection: Upgrade on the peers' path without a token", upgrading()),
  { name: "a WebSocket to the peers' path", steps: [upgrading(...webSocket)], answers: [required] },
  {
    name: "a WebSocket without a key to the peers' path",
    steps: [upgrading("upgrade: websocket")],
    answers: [required]
  },
  { name: "an unknown upgrade to the peers' path", steps: [upgrading("upgrade: foo")], answers: [required] },
  {
    name: "two tokens to the peers' path",
    steps: [upgrading("upgrade: lithair-peer, websocket")],
    answers: [required]
  },
  {
    name: "a version of the peers' protocol that is none",
    steps: [upgrading("upgrade: lithair-peer/2")],
    answers: [required]
  },
  {
    name: "the peers' token in capitals",
    steps: [get("/_raft", "connection: keep-alive, UPGRADE", "upgrade: LITHAIR-PEER")],
    answers: ["101"]
  },
  {
    name: "a peer's upgrade from a page",
    steps: [upgrading("upgrade: lithair-peer", "origin: http://a")],
    answers: ["403 not-a-peer"]
  },
  {
    name: "a peer's upgrade by a proxy, without a secret",
    steps: [upgrading("upgrade: lithair-peer", "x-forwarded-for: 10.0.0.1")],
    answers: ["403 not-a-peer"]
  },
  survived("a peer's upgrade with a body", `${upgrading("upgrade: lithair-peer", "content-length: 5")}12345`),
  survived("a peer's upgrade with half a body", `${upgrading("upgrade: lithair-peer", "content-length: 5")}12`, "end"),
  survived(
    "a peer's upgrade with a body in chunks",
    `${upgrading("upgrade: lithair-peer", "transfer-encoding: chunked")}5\r\n12345\r\n0\r\n\r\n`
  ),
  survived(
    "a peer's upgrade that expects to be told to go on",
    upgrading("upgrade: lithair-peer", "expect: 100-continue")
  ),
  survived(
    "a peer's upgrade by a POST",
    lines(
      "POST /_raft HTTP/1.1",
      "host: localhost",
      "connection: Upgrade",
      "upgrade: lithair-peer",
      "content-length: 0"
    )
  ),
  survived(
    "a peer's upgrade in HTTP/1.0",
    lines("GET /_raft HTTP/1.0", "host: localhost", "connection: Upgrade", "upgrade: lithair-peer")
  ),
  { name: "a peer's upgrade elsewhere", steps: [openPeer("/livez")], answers: ["200"] },
  { name: "a peer's upgrade where nothing is", steps: [openPeer("/no")], answers: ["404 not-found"] },
  { name: "a WebSocket elsewhere", steps: [get("/livez", "connection: Upgrade", ...webSocket)], answers: ["200"] },
  {
    name: "a WebSocket where nothing is",
    steps: [get("/no", "connection: Upgrade", ...webSocket)],
    answers: ["404 not-found"]
  },
  {
    name: "an upgrade to HTTP/2",
    steps: [
      get("/livez", "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA")
    ],
    answers: ["200"]
  },
  answered("Upgrade without Connection", [get("/livez", "upgrade: websocket")], ["200"]),
  survived("Connection: Upgrade without Upgrade", get("/livez", "connection: Upgrade")),
  survived(
    "a malformed Host and an upgrade",
    "GET /_raft HTTP/1.1\r\nhost: a b\r\nconnection: Upgrade\r\nupgrade: lithair-peer\r\n\r\n"
  ),
  {
    name: "a write that asks for an upgrade",
    steps: [post(record, "connection: Upgrade", "upgrade: foo")],
    answers: ["201"]
  },
  survived("a write that asks for a WebSocket", post(record, "connection: Upgrade", ...webSocket)),
  survived("a write that asks to be a peer", post(record, "connection: Upgrade", "upgrade: lithair-peer")),
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
  survived("a peer's upgrade, and a reset at once", opened, "reset"),
  survived("a peer's upgrade, and the end at once", opened, "end")
]

/** The bytes that a stranger sends once the connection is open. A node soon ends it. */
const sent = (name: string, ...chunks: ReadonlyArray<Uint8Array>): RawInput =>
  closing(name, [opened, { answers: 1 }, ...chunks], "101")

const hello = encodeHello({
  protocolMin: 3,
  protocolMax: 3,
  clusterId: null,
  nodeId: "stranger",
  address: "127.0.0.1:1",
  targetNodeId: "another",
  instanceId: "i",
  expectedInstanceId: null,
  lane: "control",
  peers: [],
  processNonce: new Uint8Array(16),
  nonce: new Uint8Array(32)
})
const helloFrame = handshakeFrame("hello", hello)
const oldHello = Uint8Array.from(hello)
oldHello[3] = 1
oldHello[7] = 2
const frameOf = (body: Uint8Array) => makeFrame(body.length, (to) => to.raw(body))
const noise = Uint8Array.from({ length: 1_000 }, (_, at) => (at * 151) % 256)

const frames: ReadonlyArray<RawInput> = [
  sent("silence"),
  sent("all ones", new Uint8Array(64).fill(0xff)),
  sent("all zeros", new Uint8Array(64)),
  sent("noise", noise),
  sent("text", Buffer.from("hello\r\n")),
  sent("the head of a WebSocket frame", bytes(0x82, 0x85, 0, 0, 0, 0, 1, 2, 3, 4, 5)),
  sent("a TLS hello to a peer", bytes(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03)),
  sent("half a length", bytes(0, 0)),
  sent("a length of nothing", bytes(0, 0, 0, 0)),
  sent("a length of four gigabytes", bytes(0xff, 0xff, 0xff, 0xff)),
  sent("a length of one byte too many", bytes(0, 0, 0x80, 0x01)),
  sent("the longest length, and silence", bytes(0, 0, 0x80, 0)),
  sent("a frame of the longest length", frameOf(new Uint8Array(32 * 1024).fill(253))),
  sent("a frame of an unknown tag", frameOf(bytes(200))),
  sent("a frame of noise", frameOf(noise)),
  sent("an empty hello", handshakeFrame("hello", new Uint8Array(0))),
  sent("a hello of noise", handshakeFrame("hello", noise)),
  sent("half a hello in a whole frame", handshakeFrame("hello", hello.subarray(0, 40))),
  sent("half a hello, and silence", helloFrame.subarray(0, 40)),
  sent("a hello with a tail", handshakeFrame("hello", Buffer.concat([hello, bytes(1)]))),
  sent("a hello of older versions", handshakeFrame("hello", oldHello)),
  sent("a hello for another node", helloFrame),
  sent("a hello byte for byte", ...Array.from(helloFrame, (byte) => bytes(byte))),
  sent("two hellos", helloFrame, helloFrame),
  sent("a proof before a hello", handshakeFrame("proof", new Uint8Array(32))),
  sent("a hello and an empty proof", helloFrame, handshakeFrame("proof", new Uint8Array(0))),
  sent("a pulse before a hello", pulseFrame(0)),
  sent("a message before a hello", encodeFrame({ _tag: "TimeoutNow", term: 9 })),
  sent("a refusal before a hello", refusedFrame("no")),
  sent(
    "a refusal of noise",
    makeFrame(10, (to) => to.u8(255).raw(bytes(0xff, 0xff, 0xff, 0xff)))
  ),
  sent("a thousand pulses", ...Array.from({ length: 1_000 }, () => pulseFrame(0))),
  survived("half a frame, and the end", opened, { answers: 1 }, helloFrame.subarray(0, 20), "end"),
  survived("half a frame, and a reset", opened, { answers: 1 }, helloFrame.subarray(0, 20), "reset"),
  survived("a hello, and a reset", opened, { answers: 1 }, helloFrame, "reset"),
  survived("a hello, and nobody who reads", opened, { answers: 1 }, helloFrame, { deafMs: 100 }),
  sent("a request on a peer's connection", Buffer.from(get())),
  {
    name: "bytes right behind a peer's upgrade",
    steps: [`${opened}\xff\xff\xff\xff`],
    answers: ["101"],
    closes: true
  }
]

export const upgrades: ReadonlyArray<RawInput> = [...handshakes, ...frames]
