/** Asks a node over its unix socket: `unix:/run/shop/admin.sock` in the place of a URL. */
import { request as ask } from "node:http"
import { Readable } from "node:stream"
import { Effect } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "effect/http"

/** Where requests over a unix socket go by name: every node takes the name of its own host. */
export const socketOrigin = "http://localhost"

/** The path of the socket that a text names; undefined if it names none. */
export const socketPathOf = (text: string): string | undefined => {
  const [, path] = /^unix:(?:\/\/(?=\/))?(.+)$/.exec(text) ?? []
  return path
}

const bytesOf = ({ body }: HttpClientRequest.HttpClientRequest): Uint8Array | undefined =>
  body._tag === "Uint8Array" ? body.body : undefined

/** Sends requests over the socket. It takes bodies whose bytes are all there, as those of commands are. */
export const clientOf = (socketPath: string): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.callback<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
      const body = bytesOf(request)
      const asked = ask({
        socketPath,
        method: request.method,
        path: `${url.pathname}${url.search}`,
        headers: {
          ...request.headers,
          host: "localhost",
          ...(body === undefined ? {} : { "content-length": String(body.length) })
        },
        signal
      })
      asked.on("response", (answer) => {
        const headers = Object.entries(answer.headers).flatMap(
          ([name, value]): ReadonlyArray<[string, string]> =>
            value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]]
        )
        const isEmpty = answer.statusCode === 204 || answer.statusCode === 304
        if (isEmpty) answer.resume()
        const stream = isEmpty ? null : (Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array>)
        const response = new Response(stream, { status: answer.statusCode ?? 0, headers: [...headers] })
        resume(Effect.succeed(HttpClientResponse.fromWeb(request, response)))
      })
      asked.on("error", (cause) =>
        resume(
          Effect.fail(
            new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
          )
        )
      )
      asked.end(body)
    })
  )
