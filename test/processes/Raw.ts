/** Requests as no well-behaved client sends them: any path, any bytes, in any pieces. */
import { request } from "node:http"
import { Effect } from "effect"
import { NoAnswer } from "./Exchange.ts"
import type { Answer, TestNode } from "./Processes.ts"

export interface RawRequest {
  readonly method?: string
  /** The target as it is sent, neither resolved nor encoded. */
  readonly path: string
  readonly headers?: Record<string, string>
  /** Sent one after the other; without a content-length, as chunks. */
  readonly pieces?: ReadonlyArray<string | Uint8Array>
  readonly timeoutMs?: number
  /** Called once the operating system has all bytes of the request. */
  readonly onSent?: () => void
}

export const askRaw = (node: TestNode, raw: RawRequest) =>
  Effect.callback<Answer, NoAnswer>((resume) => {
    const { method = "GET", path, pieces = [] } = raw
    const fail = (cause: unknown) => resume(Effect.fail(new NoAnswer({ cause })))
    const signal = AbortSignal.timeout(raw.timeoutMs ?? 10_000)
    const sent = request({ host: "127.0.0.1", port: node.port, method, path, headers: raw.headers ?? {}, signal })
    sent.on("error", fail)
    sent.on("response", (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("error", fail)
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = /json/.test(response.headers["content-type"] ?? "")
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
            body: text === "" ? undefined : isJson ? JSON.parse(text) : text
          })
        )
      })
    })
    sent.on("finish", () => raw.onSent?.())
    for (const piece of pieces) sent.write(piece)
    sent.end()
    return Effect.sync(() => sent.destroy())
  })
