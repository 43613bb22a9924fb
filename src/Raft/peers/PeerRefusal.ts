/**
 * The answers of the peers' path to clients that are no peers: problem details (RFC 9457), as everywhere else on the
 * port.
 */
import { HttpServerResponse } from "effect/http"
import { upgradeToken } from "./Upgrade.ts"

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

/** The answer to a page in a browser, and to a stranger from elsewhere if the cluster has no secret (D8). */
export const notAPeer = refusal(403, "not-a-peer", "Not a peer", {
  detail: "Only nodes of this cluster speak here"
})

/** The answer to a request that does not ask for the peers' protocol. RFC 9110 §15.5.22 asks for the header. */
export const peersOnly = refusal(426, "peer-protocol-required", "Peer protocol required", {
  detail: `Nodes of this cluster speak here, after an upgrade to ${upgradeToken}`,
  headers: { upgrade: upgradeToken }
})

/** The answer to a request that the router takes for one to the peers' path. */
export const notHere = refusal(404, "not-found", "Not found", {
  detail: "Nodes of this cluster speak at GET /_raft, written exactly so"
})

/** The answer of a node whose peers speak TLS, at an address of their own. */
export const elsewhere = refusal(404, "not-found", "Not found", {
  detail: "Nodes of this cluster speak under TLS, at an address of their own"
})

/** The answer while too many connections shake hands. */
export const tooManyHandshakes = refusal(503, "overloaded", "Overloaded", {
  detail: "Too many connections are shaking hands: try again later",
  headers: { "retry-after": "1" }
})
