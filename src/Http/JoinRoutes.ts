/** Takes an empty node into the cluster. Node and member prove to each other that they know the secret, and send no secret. */
import { Clock, Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { problem } from "../Problem.ts"
import * as JoinProof from "../Raft/peers/JoinProof.ts"
import { isOfPage, notOfThisHost } from "../Raft/peers/ThisHost.ts"
import { addMember, Membership, membershipOf, newMemberFields } from "./Administration.ts"
import { readBody } from "./AdminRoutes.ts"

export const joinPath = "/_raft/join"

/** The challenge that a joining node signs. It can be used once, for a short time. */
export const JoinChallenge = Schema.Struct({ challenge: Schema.String }).annotate({
  identifier: "lithair.JoinChallenge"
})

/** The joining node and its proof. `clusterId` comes from its directory; null if that is empty. */
export const JoinRequest = Schema.Struct({
  challenge: Schema.String,
  nonce: Schema.String,
  clusterId: Schema.NullOr(Schema.String),
  node: Schema.Struct(newMemberFields),
  proof: Schema.String
}).annotate({ identifier: "lithair.JoinRequest" })

/** The cluster's membership, and the member's own proof. */
export const JoinAnswer = Schema.Struct({ ...Membership.fields, proof: Schema.String }).annotate({
  identifier: "lithair.JoinAnswer"
})

const refused = (reason: string, detail: string) =>
  Effect.fail(problem("membership-refused", detail, { reason, definite: true }))

/** Makes the routes by which nodes join. */
export const joinRoutes = (member: Member["Service"], secret: string | undefined) => {
  const challenges = JoinProof.makeChallenges()
  const nowMs = Clock.monotonicTimeNanos.pipe(Effect.map((nanos) => Number(nanos / 1_000_000n)))

  const admitted = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const why = isOfPage(request) ? "it comes from a page in a browser" : secret === undefined && notOfThisHost(request)
    return typeof why === "string"
      ? Effect.fail(problem("forbidden", `This request cannot add a node: ${why}`, {}))
      : Effect.void
  })

  const challenge = Effect.gen(function* () {
    yield* admitted
    const body = { challenge: challenges.make(yield* nowMs) }
    return HttpServerResponse.jsonUnsafe(body, { headers: { "cache-control": "no-store" } })
  })
  const join = Effect.gen(function* () {
    yield* admitted
    const { challenge, clusterId, node, nonce, proof } = yield* readBody(JoinRequest)
    const exchange = { secret, challenge, nonce }
    if (!challenges.isOpen(challenge, yield* nowMs)) {
      return yield* refused("challengeClosed", "The challenge has expired: ask for another")
    }
    if (!JoinProof.isProvenBy(exchange, proof, (each) => JoinProof.proveNode(each, node, clusterId))) {
      return yield* Effect.fail(
        problem("unauthenticated", "The node did not prove this cluster's secret: start it with the same secret", {})
      )
    }
    if (!challenges.take(challenge, yield* nowMs)) {
      return yield* refused("challengeClosed", "The challenge was used already: ask for another")
    }
    const own = member.clusterId()
    if (clusterId !== null && own !== undefined && clusterId !== own) {
      return yield* refused(
        "otherCluster",
        `The node's directory belongs to cluster ${clusterId}, and this is cluster ${own}: start the node with an empty directory`
      )
    }
    yield* addMember(member, { added: node, admitted: "proof", autoPromote: true })
    const membership = membershipOf(member)
    const proven = JoinProof.proveMember(exchange, membership.clusterId, membership.members)
    return HttpServerResponse.jsonUnsafe({ ...membership, proof: proven })
  })

  return [HttpRouter.route("GET", joinPath, challenge), HttpRouter.route("POST", joinPath, join)] as const
}
