/** Inputs whose body is broken, aborted, oversized or slow: RFC 9112 §6 and §7. */
import {
  answered,
  chunk,
  chunkedHead,
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

const tooLarge = "413 too-large"
const half = record.slice(0, 10)
const mebibyte = "a".repeat(1024 * 1024)
const pieces = (text: string, size: number, pauseMs: number) =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, at) => [
    text.slice(at * size, (at + 1) * size),
    { pauseMs }
  ]).flat()

const lengths: ReadonlyArray<RawInput> = [
  closing("a negative length", [postHead("content-length: -1") + record], invalid),
  closing("a signed length", [postHead("content-length: +26") + record], invalid),
  closing("a length in hex", [postHead("content-length: 0x1a") + record], invalid),
  closing("a length of words", [postHead("content-length: many") + record], invalid),
  closing("a length that no number holds", [postHead(`content-length: ${"9".repeat(40)}`) + record], invalid),
  closing("two lengths", [postHead("content-length: 26", "content-length: 27") + record], invalid),
  closing(
    "a length and chunks (§6.1)",
    [postHead("content-length: 26", "transfer-encoding: chunked") + chunk(record) + lastChunk],
    invalid
  ),
  answered("an empty body", [postHead("content-length: 0")], [invalid]),
  answered("no body and no length", [postHead()], [invalid]),
  closing("an unknown transfer coding", [`${postHead("transfer-encoding: foo")}a`], invalid),
  closing(
    "a transfer coding behind chunked",
    [postHead("transfer-encoding: chunked, gzip") + chunk(record) + lastChunk],
    invalid
  ),
  survived("chunked twice", postHead("transfer-encoding: chunked, chunked") + chunk(record) + lastChunk),
  survived(
    "a transfer coding in HTTP/1.0",
    lines("POST /api/products HTTP/1.0", "content-type: application/json", "transfer-encoding: chunked") +
      chunk(record) +
      lastChunk
  )
]

const chunks: ReadonlyArray<RawInput> = [
  answered("a body in chunks", [chunkedHead + chunk(half) + chunk(record.slice(10)) + lastChunk], ["201"]),
  answered("a body in chunks of one letter", [chunkedHead + [...record].map(chunk).join("") + lastChunk], ["201"]),
  answered("chunks with extensions", [`${chunkedHead}1a;a=b;c="d"\r\n${record}\r\n${lastChunk}`], ["201"]),
  answered("chunks with trailers", [`${chunkedHead + chunk(record)}0\r\nx: a\r\n\r\n`], ["201"]),
  closing("a chunk of no size", [`${chunkedHead}zz\r\n`], invalid),
  closing("a chunk of no size, later", [chunkedHead + chunk(half), { pauseMs: 50 }, "zz\r\n"], invalid),
  closing("a chunk of a negative size", [`${chunkedHead}-1\r\n`], invalid),
  closing("a chunk of a size that no number holds", [`${chunkedHead}${"f".repeat(32)}\r\n`], invalid),
  closing("a chunk that is longer than it says", [`${chunkedHead}5\r\n${record}\r\n`], invalid),
  closing("a line for the size that never ends", [`${chunkedHead}1;${"a".repeat(200_000)}`], /^4\d\d /),
  closing("a trailer that is no header", [`${chunkedHead + chunk(record)}0\r\nbad trailer\r\n\r\n`], invalid),
  survived("chunks, and the end", chunkedHead + chunk(half), { pauseMs: 30 }, "end"),
  survived("chunks, and the end at once", chunkedHead + chunk(half), "end"),
  survived("chunks, and a reset", chunkedHead + chunk(half), { pauseMs: 30 }, "reset"),
  survived("chunks, and a reset at once", chunkedHead + chunk(half), "reset"),
  survived("a chunk that is cut, and the end", `${chunkedHead}1a\r\n${half}`, { pauseMs: 30 }, "end"),
  survived("a chunk that is cut, and a reset", `${chunkedHead}1a\r\n${half}`, { pauseMs: 30 }, "reset"),
  survived("no last chunk, and the end", chunkedHead + chunk(record), { pauseMs: 30 }, "end"),
  survived("no last chunk, and a reset", chunkedHead + chunk(record), { pauseMs: 30 }, "reset"),
  closing(
    "a broken body where nothing reads it",
    [
      `${lines("DELETE /api/products/0190a5a0-0000-7000-8000-000000000000 HTTP/1.1", "host: localhost", "transfer-encoding: chunked")}zz\r\n`
    ],
    /^40[04] /
  ),
  closing("a broken body of a read", [`${get("/livez", "transfer-encoding: chunked")}zz\r\n`], /^(200|400)/)
]

const aborted: ReadonlyArray<RawInput> = [
  closing("half a body, and the end", [postHead("content-length: 26") + half, "end"], invalid),
  survived("half a body, and a reset", postHead("content-length: 26") + half, { pauseMs: 30 }, "reset"),
  survived("no body, and the end", postHead("content-length: 26"), "end"),
  survived("no body, and a reset", postHead("content-length: 26"), { pauseMs: 30 }, "reset"),
  survived(
    "half of 900,000 bytes, and the end",
    postHead("content-length: 900000") + mebibyte.slice(0, 450_000),
    "end"
  ),
  survived(
    "half of 900,000 bytes, and a reset",
    postHead("content-length: 900000") + mebibyte.slice(0, 450_000),
    { pauseMs: 30 },
    "reset"
  ),
  survived("a whole request, and a reset", post(), "reset"),
  survived("a whole request, and a reset a moment later", post(), { pauseMs: 5 }, "reset"),
  closing("a whole request, and the end", [post(), "end"], "201"),
  closing("a read, and the end", [get("/api/products?limit=1"), "end"], "200"),
  survived("a large answer, and a reset", get("/openapi.json"), { pauseMs: 2 }, "reset"),
  survived("a large answer, and a reset at once", get("/openapi.json"), "reset"),
  answered(
    "a large answer that nobody reads for a while",
    [get("/openapi.json").repeat(20), { deafMs: 300 }],
    Array.from({ length: 20 }, () => "200")
  ),
  survived("a large answer that nobody reads, and a reset", get("/docs").repeat(20), { deafMs: 100 }, "reset")
]

const refused: ReadonlyArray<RawInput> = [
  answered("no JSON", [post("{")], [invalid]),
  answered("no UTF-8", [post('"\xff"')], [invalid]),
  answered("100,000 brackets", [post("[".repeat(100_000))], [invalid]),
  closing("another coding", [post(record, "content-encoding: gzip")], "415 unsupported-media-type"),
  closing(
    "no media type",
    [lines("POST /api/products HTTP/1.1", "host: localhost", "content-length: 26") + record],
    "415 unsupported-media-type"
  ),
  closing(
    "a body for a path that is not there",
    [lines("POST /no HTTP/1.1", "host: localhost", "content-length: 26") + record],
    "404 not-found"
  ),
  closing(
    "a body for a verb that the path does not know",
    [lines("POST /livez HTTP/1.1", "host: localhost", "content-length: 26") + record],
    "405 method-not-allowed"
  ),
  closing(
    "a large body for a path that is not there",
    [lines("POST /no HTTP/1.1", "host: localhost", "content-length: 5242880") + mebibyte.repeat(5)],
    "404 not-found"
  ),
  closing("a body that says it is too large, and does not come", [postHead("content-length: 9000000")], tooLarge),
  closing(
    "a body that says it is too large, and comes",
    [postHead("content-length: 8388608") + mebibyte.repeat(8)],
    tooLarge
  ),
  closing(
    "a body that says it is too large, read before the answer is",
    [postHead("content-length: 4194304"), { deafMs: 1 }, mebibyte.repeat(4)],
    tooLarge
  ),
  closing("chunks that are too large", [chunkedHead + chunk(mebibyte).repeat(4) + lastChunk], tooLarge),
  survived("chunks that are too large and never end", chunkedHead + chunk(mebibyte).repeat(4), { answers: 1 }, "reset"),
  survived("chunks that are too large, and broken", `${chunkedHead + chunk(mebibyte).repeat(2)}zz\r\n`),
  survived("chunks that are too large, and the end", chunkedHead + chunk(mebibyte).repeat(2), "end"),
  survived(
    "a body that is too large, and a reset within it",
    postHead("content-length: 8388608") + mebibyte.repeat(3),
    "reset"
  ),
  closing(
    "a refused body whose rest is broken",
    [
      `${lines("POST /no HTTP/1.1", "host: localhost", "transfer-encoding: chunked")}5\r\nabcde\r\n`,
      { answers: 1 },
      "zz\r\n"
    ],
    "404 not-found"
  ),
  closing(
    "a body that is too large behind a write",
    [post() + postHead("content-length: 3145728") + mebibyte.repeat(3)],
    "201",
    tooLarge
  )
]

const slow: ReadonlyArray<RawInput> = [
  answered("a head that drips", pieces(get(), 3, 20), ["200"]),
  answered("a body that drips", [postHead("content-length: 26"), ...pieces(record, 2, 30)], ["201"]),
  answered("chunks that drip", [chunkedHead, ...pieces(chunk(record) + lastChunk, 2, 20)], ["201"]),
  answered("a pause between head and body", [postHead("content-length: 26"), { pauseMs: 500 }, record], ["201"]),
  answered("a pause within a line", ["GET /li", { pauseMs: 300 }, get().slice(7)], ["200"]),
  answered("two requests that drip", pieces(get() + get("/api/products?limit=1"), 7, 20), ["200", "200"]),
  survived("a head that drips, and the end", ...pieces(get().slice(0, 20), 2, 20), "end"),
  survived("a body that drips, and a reset", postHead("content-length: 26"), ...pieces(half, 1, 20), "reset"),
  survived("chunks that drip, and the end", chunkedHead, ...pieces(chunk(half), 1, 20), "end"),
  survived("chunks that drip, and break", chunkedHead, ...pieces(`${chunk(half)}zz`, 1, 20), "\r\n"),
  answered("a pause between two requests", [get(), { answers: 1 }, { pauseMs: 400 }, post()], ["200", "201"])
]

export const bodies: ReadonlyArray<RawInput> = [...lengths, ...chunks, ...aborted, ...refused, ...slow]
