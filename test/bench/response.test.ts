/** The load generator's own client: it finds where each response ends, however the bytes arrive. */
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { runLoad } from "../../bench/Load.ts"
import { parseResponse } from "../../bench/Response.ts"

const plain = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
const chunked =
  "HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n"
const bare = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
const last = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nRetry-After: 2\r\ncontent-length: 0\r\n\r\n"

describe("a response", () => {
  for (const [text, status, isLast, retryAfterMs] of [
    [plain, 201, false, 0],
    [chunked, 200, false, 0],
    [bare, 200, false, 0],
    [last, 503, true, 2_000]
  ] as const) {
    it(`ends where its framing says, and not before (RFC 9112 §6): ${status}, ${text.length} bytes`, () => {
      const bytes = Buffer.from(text)
      for (let length = 0; length < bytes.length; length++) {
        assert.isUndefined(parseResponse(bytes.subarray(0, length)))
      }
      assert.deepStrictEqual(parseResponse(Buffer.concat([bytes, bytes])), {
        status,
        length: bytes.length,
        isLast,
        retryAfterMs
      })
    })
  }

  it("without a length is an error, not a guess", () => {
    assert.throws(() => parseResponse(Buffer.from("HTTP/1.1 200 OK\r\n\r\n")), /no length/)
    assert.throws(() => parseResponse(Buffer.from("SSH-2.0-x\r\n\r\n")), /Expected a response/)
  })
})

describe("a load", () => {
  const withServer = async (
    answer: (count: number) => number,
    use: (url: string, counts: () => number) => Promise<void>
  ) => {
    let count = 0
    const server = createServer((request, response) => {
      request.resume()
      request.on("end", () => {
        response.writeHead(answer(++count))
        response.end("{}")
      })
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    try {
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, () => count)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it("counts each answer that the server gave, in a closed loop", () =>
    withServer(
      () => 201,
      async (url, counts) => {
        const requests = [{ method: "POST", url, body: "{}" }] as const
        const result = await runLoad({ requests, expectedStatus: 201, clients: 4, warmUpMs: 0, measureMs: 100 })
        assert.strictEqual(result.allCount, counts())
        assert.isAbove(result.count, 0)
        assert.strictEqual(result.failed.count, 0)
      }
    ))

  it("sends an open loop's requests at their rate, and tells failures apart", () =>
    withServer(
      (count) => (count % 4 === 0 ? 503 : 200),
      async (url, counts) => {
        const requests = [{ method: "GET", url }] as const
        const open = { clients: 8, ratePerSecond: 400, warmUpMs: 50, measureMs: 250 }
        const result = await runLoad({ requests, expectedStatus: 200, ...open })
        assert.strictEqual(counts(), 120)
        assert.strictEqual(result.count + result.failed.count, 100)
        assert.strictEqual(result.allCount, 90)
        assert.strictEqual(result.failedStatus, 503)
      }
    ))

  it("counts latency from the time at which a request was due, so that a stall is charged to all that it held up", async () => {
    const server = createServer((request, response) => {
      request.resume()
      setTimeout(() => response.end("{}"), 40)
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    try {
      const requests = [{ method: "GET", url }] as const
      const one = { clients: 1, expectedStatus: 200, warmUpMs: 0 }
      const result = await runLoad({ requests, ...one, ratePerSecond: 200, measureMs: 25 })
      // Five were due within 20 ms, and the one client has each of them 40 ms: the last is done 200 ms after the first was due.
      assert.strictEqual(result.count, 5)
      assert.isAbove(result.maxMs, 170)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
