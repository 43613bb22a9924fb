/**
 * Who may change a cluster: a program of this node's host, or somebody who shows the cluster's secret as a bearer token
 * (RFC 6750). Clients of the data are not asked for anything.
 */
import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { type Problem, problem, withHeaders } from "../Problem.ts"
import type { Admitted } from "../Raft/node/Administration.ts"
import { isSecret } from "../Raft/peers/Secret.ts"
import { type Caller, notOfThisHost } from "../Raft/peers/ThisHost.ts"

/** By what the caller is admitted, or the problem that it is answered with. `secret` is the cluster's, if it has one. */
export const admitted = (caller: Caller, secret: string | undefined): Admitted | Problem => {
  const { authorization } = caller.headers
  if (authorization !== undefined) {
    const [, token = ""] = /^bearer +(.*)$/i.exec(authorization) ?? []
    // A header's bytes are read as Latin-1 by some runtimes, and a secret may hold other letters.
    const spellings = [token, Buffer.from(token, "latin1").toString("utf8")]
    const isShown = secret !== undefined && spellings.some((each) => isSecret(each, secret))
    return isShown ? "secret" : unauthenticated("The bearer token is not this cluster's secret")
  }
  const why = notOfThisHost(caller)
  if (why === undefined) return "this-host"
  const local = `A change of the cluster is taken from programs of this host alone, and this request is none: ${why}`
  return secret === undefined
    ? problem("forbidden", `${local}. Start the nodes with a secret to change the cluster from elsewhere`, {})
    : unauthenticated(`${local}. Send the cluster's secret: "Authorization: Bearer <secret>"`)
}

const unauthenticated = (detail: string): Problem =>
  withHeaders(problem("unauthenticated", detail, {}), { "www-authenticate": 'Bearer realm="lithair"' })

/** Fails the request with a problem unless its caller is admitted. */
export const admit = (
  secret: string | undefined
): Effect.Effect<Admitted, Problem, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const found = admitted(request, secret)
    return typeof found === "string" ? Effect.succeed(found) : Effect.fail(found)
  })
