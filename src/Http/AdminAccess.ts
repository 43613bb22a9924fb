/**
 * Decides who may change a cluster: programs on this node's host, and callers that send the cluster's secret as a bearer
 * token (RFC 6750). Requests for data need neither.
 */
import { Effect } from "effect"
import { HttpServerRequest } from "effect/http"
import { type Problem, problem, unauthenticated } from "../Problem.ts"
import type { Admitted } from "../Raft/node/Administration.ts"
import { isSecret } from "../Raft/peers/Secret.ts"
import { type Caller, notOfThisHost } from "../Raft/peers/ThisHost.ts"

/** Says what admits the caller, or returns the problem to answer with. `secret` is the cluster's, if it has one. */
export const admitted = (caller: Caller, secret: string | undefined): Admitted | Problem => {
  const { authorization } = caller.headers
  if (authorization !== undefined) {
    const [, token = ""] = /^bearer +(.*)$/i.exec(authorization) ?? []
    // Some runtimes read a header's bytes as Latin-1, and a secret may hold other letters.
    const spellings = [token, Buffer.from(token, "latin1").toString("utf8")]
    const isShown = secret !== undefined && spellings.some((each) => isSecret(each, secret))
    return isShown
      ? "secret"
      : unauthenticated(
          "The bearer token is not this cluster's secret: send the secret that the nodes were started with"
        )
  }
  const why = notOfThisHost(caller)
  if (why === undefined) return "this-host"
  const local = `Only programs on this host may change the cluster, and this request does not come from one: ${why}`
  return secret === undefined
    ? problem("forbidden", `${local}. To change the cluster from elsewhere, start the nodes with a secret`, {})
    : unauthenticated(`${local}. Send the cluster's secret: "Authorization: Bearer <secret>"`)
}

/** Fails the request with a problem unless its caller is admitted. */
export const admit = (
  secret: string | undefined
): Effect.Effect<Admitted, Problem, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const found = admitted(request, secret)
    return typeof found === "string" ? Effect.succeed(found) : Effect.fail(found)
  })
