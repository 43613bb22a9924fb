/** Inputs whose head is broken, oversized or odd: RFC 9112 §2 to §5, RFC 9110 §7.2 and §10.1.1. */
import {
  answered,
  closing,
  get,
  invalid,
  lastChunk,
  lines,
  post,
  postHead,
  type RawInput,
  record,
  survived
} from "./Input.ts"

const tooLarge = "431 head-too-large"
const long = "a".repeat(100_000)

const requestLines: ReadonlyArray<RawInput> = [
  closing("no request at all", ["garbage\r\n\r\n"], invalid),
  closing("random bytes", [Uint8Array.from({ length: 512 }, (_, at) => (at * 151 + 7) % 256)], invalid),
  closing("a TLS hello", [Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(64)])], invalid),
  closing("an SSH banner", ["SSH-2.0-OpenSSH_9.9\r\n"], invalid),
  closing("the preface of HTTP/2", ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], invalid),
  closing("HTTP/0.9", ["GET /livez\r\n\r\n"], invalid),
  closing("HTTP/0.9 by name", [lines("GET /livez HTTP/0.9", "host: localhost")], invalid),
  closing("HTTP/1.2", [lines("GET /livez HTTP/1.2", "host: localhost")], invalid),
  closing("HTTP/2.0", [lines("GET /livez HTTP/2.0", "host: localhost")], invalid),
  closing("HTTP/9.9", [lines("GET /livez HTTP/9.9", "host: localhost")], invalid),
  survived("another protocol's name", lines("GET /livez RTSP/1.0", "host: localhost")),
  closing("a protocol in lower case", [lines("GET /livez http/1.1", "host: localhost")], invalid),
  closing("a verb in lower case", [lines("get /livez HTTP/1.1", "host: localhost")], invalid),
  closing("an unknown verb", [lines("BREW /livez HTTP/1.1", "host: localhost")], invalid),
  closing("a verb of 10,000 letters", [lines(`${"A".repeat(10_000)} /livez HTTP/1.1`, "host: localhost")], invalid),
  closing("no target", [lines("GET  HTTP/1.1", "host: localhost")], invalid),
  closing("a target without a slash", [lines("GET livez HTTP/1.1", "host: localhost")], invalid),
  closing("a NUL in the target", [lines("GET /livez\0 HTTP/1.1", "host: localhost")], invalid),
  closing("a target of 100,000 letters", [get(`/livez?${long}`)], tooLarge),
  closing("CONNECT", [lines("CONNECT a:80 HTTP/1.1", "host: localhost")], invalid),
  closing(
    "CONNECT with bytes behind it",
    [`${lines("CONNECT a:80 HTTP/1.1", "host: localhost")}\x16\x03\x01`],
    invalid
  ),
  answered("TRACE", [lines("TRACE /livez HTTP/1.1", "host: localhost")], ["405 method-not-allowed"]),
  survived("OPTIONS of the whole server", lines("OPTIONS * HTTP/1.1", "host: localhost")),
  answered("a target in absolute form", [lines("GET http://a/livez HTTP/1.1", "host: localhost")], ["200"]),
  answered(
    "a target in absolute form, of another host",
    [lines("GET http://b:1/livez HTTP/1.1", "host: localhost")],
    ["200"]
  ),
  survived("a target in absolute form that is no URL", lines("GET http://[/livez HTTP/1.1", "host: localhost")),
  answered("a target that is not well encoded", [get("/api/products/%zz")], [/^40[04] /]),
  answered("a target that climbs", [get("/../../../../etc/passwd")], ["404 not-found"]),
  survived("a target of bytes beyond ASCII", Uint8Array.from(Buffer.from(get("/livéz"), "latin1"))),
  answered("an empty line before the request", [`\r\n${get()}`], ["200"]),
  closing("a space before the request", [` ${get()}`], invalid)
]

const headers: ReadonlyArray<RawInput> = [
  closing("a header without a colon", [get("/livez", "bad header")], invalid),
  closing("a header without a name", [get("/livez", ": value")], invalid),
  closing("a space before the colon", [get("/livez", "x : value")], invalid),
  closing("a header that goes on in the next line (§5.2)", [get("/livez", "x: a", " b")], invalid),
  closing("a NUL in a header", [get("/livez", "x: a\0b")], invalid),
  closing("a CR in a header", [get("/livez", "x: a\rb")], invalid),
  closing("lines that end with LF alone", ["GET /livez HTTP/1.1\nhost: a\n\n"], invalid),
  closing("a header of 100,000 letters", [get("/livez", `x: ${long}`)], tooLarge),
  closing("3,000 headers", [get("/livez", ...Array.from({ length: 3_000 }, (_, at) => `x${at}: a`))], tooLarge),
  closing("one line that never ends", [`GET /${long}`], tooLarge),
  answered("a header beyond ASCII", [get("/livez", "x: caf\xe9")], ["200"]),
  answered("an empty header", [get("/livez", "x:")], ["200"]),
  answered("tabs around a value", [get("/livez", "x:\ta\t")], ["200"]),
  answered("names of prototypes as headers", [get("/livez", "__proto__: a", "constructor: b")], ["200"]),
  closing("Connection: close", [get("/livez", "connection: close")], "200"),
  closing("HTTP/1.0", [lines("GET /livez HTTP/1.0")], "200"),
  survived("half a head, and the end", "GET /livez HT", "end"),
  survived("half a head, and a reset", "GET /livez HT", { pauseMs: 20 }, "reset"),
  survived("half a header, and the end", "GET /livez HTTP/1.1\r\nhos", "end"),
  survived("nothing, and the end", "end"),
  survived("nothing, and a reset", "reset"),
  survived("empty lines, and the end", "\r\n\r\n\r\n", "end"),
  survived("nothing at all")
]

const withHost = (name: string, ...hosts: ReadonlyArray<string>): RawInput =>
  answered(name, [lines("GET /livez HTTP/1.1", ...hosts)], [invalid])

const hosts: ReadonlyArray<RawInput> = [
  withHost("no Host"),
  withHost("Host twice, alike", "host: localhost", "host: localhost"),
  withHost("Host twice, different", "host: localhost", "host: b"),
  withHost("Host twice, in two spellings", "Host: a", "HOST: a"),
  withHost("an empty Host", "host:"),
  withHost("a space in Host", "host: a b"),
  withHost("a path in Host", "host: a/b"),
  withHost("a user in Host", "host: u@a"),
  withHost("a URL as Host", "host: http://a"),
  withHost("letters as the port in Host", "host: a:b"),
  withHost("two ports in Host", "host: a:1:2"),
  withHost("an IPv6 address without brackets in Host", "host: ::1"),
  withHost("an open bracket in Host", "host: [::1"),
  withHost("a bad escape in Host", "host: %zz"),
  answered("an IPv6 address and a port as Host", [lines("GET /livez HTTP/1.1", "host: [::1]:8081")], ["200"]),
  answered("a name and a port as Host", [lines("GET /livez HTTP/1.1", "host: a-1.example:8081")], ["200"]),
  closing("a malformed Host in HTTP/1.0", [lines("GET /livez HTTP/1.0", "host: a b")], invalid),
  closing("a POST without Host", [lines("POST /api/products HTTP/1.1", "content-length: 26") + record], invalid),
  answered("Host twice on an unknown path", [lines("GET /no HTTP/1.1", "host: localhost", "host: b")], [invalid])
]

const expected = "417 expectation-failed"

const expectations: ReadonlyArray<RawInput> = [
  closing("another expectation, no body sent", [postHead("content-length: 26", "expect: foo")], expected),
  closing("another expectation, the body behind it", [post(record, "expect: foo")], expected),
  closing("another expectation, a body in chunks", [postHead("transfer-encoding: chunked", "expect: foo")], expected),
  closing("two expectations", [post(record, "expect: 100-continue, foo")], expected),
  answered("another expectation without a body", [get("/livez", "expect: foo")], [expected]),
  answered(
    "100-continue, waited for",
    [postHead("content-length: 26", "expect: 100-continue"), { answers: 1 }, record],
    ["100", "201"]
  ),
  answered(
    "100-continue, in capitals",
    [postHead("content-length: 26", "expect: 100-Continue"), { answers: 1 }, record],
    ["100", "201"]
  ),
  answered("100-continue, not waited for", [post(record, "expect: 100-continue")], ["100", "201"]),
  closing(
    "100-continue for a body that is too large",
    [postHead("content-length: 9000000", "expect: 100-continue")],
    "413 too-large"
  ),
  closing(
    "100-continue for a path that is not there",
    [lines("POST /no HTTP/1.1", "host: localhost", "content-length: 5", "expect: 100-continue")],
    "404 not-found"
  ),
  closing(
    "100-continue for another media type",
    [lines("POST /api/products HTTP/1.1", "host: localhost", "content-length: 5", "expect: 100-continue")],
    "415 unsupported-media-type"
  ),
  survived("100-continue, and the end", postHead("content-length: 26", "expect: 100-continue"), "end"),
  survived(
    "100-continue, and a reset",
    postHead("content-length: 26", "expect: 100-continue"),
    { answers: 1 },
    "reset"
  ),
  survived(
    "100-continue, and half a body",
    postHead("content-length: 26", "expect: 100-continue"),
    { answers: 1 },
    '{"na',
    "end"
  ),
  answered(
    "100-continue, in chunks",
    [postHead("transfer-encoding: chunked", "expect: 100-continue"), { answers: 1 }, `1a\r\n${record}\r\n`, lastChunk],
    ["100", "201"]
  ),
  survived(
    "100-continue in HTTP/1.0",
    lines(
      "POST /api/products HTTP/1.0",
      "content-type: application/json",
      "content-length: 26",
      "expect: 100-continue"
    ) + record
  )
]

export const heads: ReadonlyArray<RawInput> = [...requestLines, ...headers, ...hosts, ...expectations]
