/** One request over HTTP and its answer as text. */
import { Agent, request } from "node:http"
import { Data, Effect } from "effect"

/** The node gave no answer: it is not there, or died before it answered. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly cause: unknown }> {}

/** An answer as it came. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A request. */
export interface Asked {
  readonly method?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  readonly timeoutMs?: number | undefined
}

/** It keeps connections, as `fetch` does. */
const agent = new Agent({ keepAlive: true })

/**
 * Asks a server by `node:http`. `fetch` takes four times the time, and more of the server's: the tests send so many
 * requests that they would spend a third of their time on it.
 */
export const exchange = (
  url: string,
  { body, headers, method = "GET", timeoutMs = 10_000 }: Asked
): Effect.Effect<Answered, NoAnswer> =>
  Effect.callback((resume) => {
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }
    const sent = request(new URL(url), { method, agent, headers: { ...length, ...headers } })
    const timer = setTimeout(() => sent.destroy(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs)
    const fail = (cause: unknown) => {
      clearTimeout(timer)
      resume(Effect.fail(new NoAnswer({ cause })))
    }
    sent.on("error", fail)
    sent.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("error", fail)
      response.on("data", (data: string) => {
        text += data
      })
      response.on("end", () => {
        clearTimeout(timer)
        const headers = new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers, text }))
      })
    })
    sent.end(body)
    return Effect.sync(() => {
      clearTimeout(timer)
      sent.destroy()
    })
  })
