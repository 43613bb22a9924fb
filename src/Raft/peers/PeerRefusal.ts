/**
 * The answers of the peers' path to clients that are no peers: problem details (RFC 9457), as everywhere else on the
 * port.
 */
import { HttpServerResponse } from "effect/http"

const refusal = (
  status: number,
  kind: string,
  title: string,
  options: { readonly detail: string; readonly headers?: Record<string, string> }
) =>
  HttpServerResponse.jsonUnsafe(
    { type: `urn:lithair:problem:${kind}`, status, title, detail: options.detail },
    { status, contentType: "application/problem+json", headers: options.headers ?? {} }
  )

/** A page in a browser, or a stranger from elsewhere where the cluster has no secret (D8). */
export const notAPeer = refusal(403, "not-a-peer", "Not a peer", {
  detail: "Only nodes of this cluster speak here"
})

/** RFC 9110 §15.5.22 asks for the one header, RFC 6455 §4.4 for the other. */
export const webSocketOnly = refusal(426, "websocket-required", "WebSocket required", {
  detail: "Nodes of this cluster speak here, over WebSockets",
  headers: { upgrade: "websocket", "sec-websocket-version": "13" }
})

export const tooManyHandshakes = refusal(503, "overloaded", "Overloaded", {
  detail: "Too many connections are shaking hands: try again later",
  headers: { "retry-after": "1" }
})
