/** Asks a server under TLS, as a client that believes one authority. */
import { request } from "node:https"
import type { TLSSocket } from "node:tls"
import { Effect } from "effect"

/** An answer, and the certificate that the server showed, as base64. */
export interface AnsweredUnderTls {
  readonly status: number
  readonly text: string
  readonly cert: string
}

export const askTls =
  (ca: string) =>
  (port: number, method: string, path: string, body?: string): Effect.Effect<AnsweredUnderTls, Error> =>
    Effect.callback((resume) => {
      const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": body.length }
      const asked = request(
        { host: "127.0.0.1", servername: "localhost", port, method, path, headers, ca, agent: false },
        (response) => {
          const cert = (response.socket as TLSSocket).getPeerCertificate().raw?.toString("base64") ?? ""
          let text = ""
          response.on("data", (part: Buffer) => {
            text += part.toString()
          })
          response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text, cert })))
        }
      )
      asked.on("error", (error) => resume(Effect.fail(error)))
      asked.end(body)
    })
