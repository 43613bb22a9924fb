/** Servers that answer as they are told, to say what no healthy node says when it is asked to. */
import { once } from "node:events"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Effect } from "effect"

/** What a server is asked. */
export interface Request {
  /** Which of the servers, from 0. */
  readonly at: number
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/**
 * What it answers. `hangUp` ends the connection in the midst of an answer, since Deno's `fetch` sends a request again by
 * itself where no answer has begun; `nothing` leaves it open. A function writes what it likes, as a stream does.
 */
export type Reply =
  | "hangUp"
  | "nothing"
  | ((response: ServerResponse) => void)
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }

/** An answer of this problem. */
export const problem = (
  status: number,
  kind: string,
  members: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {}
): Reply => ({
  status,
  headers: { "content-type": "application/problem+json", ...headers },
  body: { ...members, type: `urn:lithair:problem:${kind}`, status, title: kind, detail: `It is ${kind}` }
})

const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of request) text += String(chunk)
  return text
}

/** `count` servers, all of which answer by `reply`, told how many requests came before. */
export const serve = Effect.fnUntraced(function* (count: number, reply: (request: Request, before: number) => Reply) {
  const requests: Array<Request> = []
  const start = (at: number) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = createServer(async (incoming, response) => {
          const { headers, method = "", url = "" } = incoming
          const request: Request = { at, method, url, headers, body: await textOf(incoming) }
          const replied = reply(request, requests.push(request) - 1)
          if (replied === "nothing") return
          if (typeof replied === "function") return replied(response)
          if (replied === "hangUp") {
            response.writeHead(200, { "content-length": "100" })
            return void response.write("{", () => incoming.socket.destroy())
          }
          response.writeHead(replied.status, { "content-type": "application/json", ...replied.headers })
          response.end(replied.body === undefined ? undefined : JSON.stringify(replied.body))
        })
        server.listen(0, "127.0.0.1")
        await once(server, "listening")
        return server
      }),
      (server) =>
        Effect.promise(async () => {
          server.closeAllConnections()
          await new Promise((resolve) => server.close(resolve))
        })
    ).pipe(
      Effect.map((server) => {
        const address = server.address()
        return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
      })
    )
  const [first = "", ...others] = yield* Effect.forEach(
    Array.from({ length: count }, (_, at) => at),
    start
  )
  return { nodes: [first, ...others] as [string, ...Array<string>], requests }
})
