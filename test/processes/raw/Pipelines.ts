/** Inputs of several requests on one connection: answers come in the order of the requests. RFC 9112 §9.3.2. */
import {
  answered,
  chunk,
  chunkedHead,
  closing,
  get,
  invalid,
  lastChunk,
  lines,
  openPeer,
  post,
  postHead,
  type RawInput,
  record,
  survived
} from "./Input.ts"

const half = chunk(record.slice(0, 10))
const peer = openPeer()
const unknownUpgrade = get("/livez", "connection: Upgrade", "upgrade: foo")

/** Inputs after a write that is not answered yet. */
const behindWrite: ReadonlyArray<RawInput> = [
  closing("garbage behind a write", [`${post()}garbage\r\n\r\n`], "201", invalid),
  closing("garbage behind three writes", [`${post().repeat(3)}garbage\r\n\r\n`], "201", "201", "201", invalid),
  closing("bytes of TLS behind a write", [post(), Uint8Array.from([0x16, 3, 1, 0, 0, 0, 0])], "201", invalid),
  closing("a longer body than was announced", [`${post()}{"name":"b"}`], "201", invalid),
  closing(
    "a head that is too large behind a write",
    [post() + get("/livez", `x: ${"a".repeat(100_000)}`)],
    "201",
    "431 head-too-large"
  ),
  closing("a bad chunk behind a write", [`${post() + chunkedHead}zz\r\n`], "201", invalid),
  closing("a bad second chunk behind a write", [`${post() + chunkedHead + half}zz\r\n`], "201", invalid),
  closing("a bad chunk behind two writes", [`${post() + post() + chunkedHead + half}zz\r\n`], "201", "201", invalid),
  closing("a bad chunk behind a read", [`${get("/api/products?limit=1") + chunkedHead + half}zz\r\n`], "200", invalid),
  closing(
    "a bad chunk behind a write, a moment later",
    [post() + chunkedHead + half, { pauseMs: 3 }, "zz\r\n"],
    "201",
    invalid
  ),
  survived("chunks behind a write, and the end", post() + chunkedHead + half, "end"),
  survived("chunks behind a write, and a reset", post() + chunkedHead + half, { pauseMs: 3 }, "reset"),
  survived("chunks behind a write, and a reset at once", post() + chunkedHead + half, "reset"),
  survived("chunks behind ten writes, and a reset", post().repeat(10) + chunkedHead + half, { pauseMs: 2 }, "reset"),
  survived(
    "half a body behind a write, and the end",
    post() + postHead("content-length: 26") + record.slice(0, 5),
    "end"
  ),
  survived(
    "half a body behind a write, and a reset",
    post() + postHead("content-length: 26") + record.slice(0, 5),
    { pauseMs: 2 },
    "reset"
  ),
  survived("half a head behind a write, and the end", `${post()}GET /liv`, "end"),
  survived("half a head behind a write, and a reset", `${post()}GET /liv`, { pauseMs: 2 }, "reset"),
  closing("two writes, and the end", [post() + post(), "end"], "201", "201"),
  closing("a write that closes, and another one", [post(record, "connection: close") + post()], "201"),
  closing("a write that closes, and garbage", [`${post(record, "connection: close")}garbage\r\n\r\n`], "201"),
  answered("a malformed Host behind a write", [post() + lines("GET /livez HTTP/1.1", "host: a b")], ["201", invalid]),
  answered("no Host behind a write", [post() + lines("GET /livez HTTP/1.1")], ["201", invalid]),
  closing(
    "another expectation behind a write",
    [post() + post(record, "expect: foo")],
    "201",
    "417 expectation-failed"
  ),
  closing("HTTP/2.0 behind a write", [post() + lines("GET /livez HTTP/2.0", "host: localhost")], "201", invalid),
  closing("CONNECT behind a write", [post() + lines("CONNECT a:80 HTTP/1.1", "host: localhost")], "201", invalid),
  answered(
    "100-continue behind a write",
    [post() + postHead("content-length: 26", "expect: 100-continue"), { answers: 2 }, record],
    ["201", "100", "201"]
  )
]

const upgradesBehind: ReadonlyArray<RawInput> = [
  // A server may take an upgrade that it will not make as a plain request (RFC 9110 §7.8).
  {
    name: "a peer's upgrade behind a write",
    steps: [post() + peer],
    answers: ["201", /^(101|426 peer-protocol-required)$/]
  },
  {
    name: "a peer's upgrade behind three writes",
    steps: [post().repeat(3) + peer],
    answers: ["201", "201", "201", /^(101|426 peer-protocol-required)$/]
  },
  { name: "an unknown upgrade behind a write", steps: [post() + unknownUpgrade], answers: ["201", "200"] },
  survived("a peer's upgrade behind a write, and a reset", post() + peer, { pauseMs: 2 }, "reset"),
  survived("a peer's upgrade behind a write, and the end", post() + peer, "end"),
  survived("a peer's upgrade behind a write that closes", post(record, "connection: close") + peer),
  survived("a peer's upgrade behind a read, and garbage at once", `${get("/api/products?limit=1") + peer}garbage`)
]

const many: ReadonlyArray<RawInput> = [
  answered(
    "fifty reads",
    [get().repeat(50)],
    Array.from({ length: 50 }, () => "200")
  ),
  answered(
    "twenty writes",
    [post().repeat(20)],
    Array.from({ length: 20 }, () => "201")
  ),
  answered("a write, a read, a write, a read", [post() + get() + post() + get()], ["201", "200", "201", "200"]),
  answered(
    "reads and refusals in turn",
    [(get() + get("/no") + post("{")).repeat(5)],
    Array.from({ length: 5 }, () => ["200", "404 not-found", invalid]).flat()
  ),
  answered(
    "writes in chunks",
    [(chunkedHead + chunk(record) + lastChunk).repeat(5)],
    Array.from({ length: 5 }, () => "201")
  ),
  answered("empty lines between requests", [`${get()}\r\n${get()}`], ["200", "200"]),
  survived("a thousand reads, and a reset", get().repeat(1_000), "reset"),
  survived("a thousand reads, and the end", get().repeat(1_000), "end"),
  survived("a hundred writes, and a reset", post().repeat(100), { pauseMs: 5 }, "reset"),
  survived("a hundred reads that nobody reads, and a reset", get("/openapi.json").repeat(100), { deafMs: 50 }, "reset")
]

export const pipelines: ReadonlyArray<RawInput> = [...behindWrite, ...upgradesBehind, ...many]
