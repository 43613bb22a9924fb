/**
 * An empty node asks a running cluster to take it in, through any member. It tries again after a passing failure; a
 * final one ends the node with one line.
 */
import { Data, Effect, Schedule, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { FormingRefused, type Join } from "../Cluster/Forming.ts"
import { isLoopback } from "../Raft/peers/Handshake.ts"
import * as JoinProof from "../Raft/peers/JoinProof.ts"
import { Resolver } from "../Raft/peers/Resolver.ts"
import { JoinAnswer, JoinChallenge, joinPath } from "./JoinRoutes.ts"

/** A cluster without a leader, or during another change, may take the node a moment later. */
const again = Schedule.spaced("500 millis")

/** How long a member may take to answer. A change of the members takes less. */
const attemptTimeoutMs = 5_000
/** Logs a repeated message again after so many attempts. */
const saidEveryCount = 10

/** Why a member did not take the node. If `isFinal`, trying again does not help. */
class NotTaken extends Data.TaggedError("NotTaken")<{ readonly message: string; readonly isFinal: boolean }> {}

const final = (message: string) => new NotTaken({ message, isFinal: true })
const passing = (message: string) => new NotTaken({ message, isFinal: false })

/** The members of a problem that this file reads. */
const Refusal = Schema.Struct({
  type: Schema.String,
  detail: Schema.String,
  reason: Schema.optionalKey(Schema.String)
})

/** Conflicts that last, however long the node waits. */
const finalReasons: ReadonlyArray<string> = ["alreadyMember", "otherCluster", "tooManyMembers"]

/** Asks the member at `address` until it takes the node. Fails on a final refusal. */
export const joinThrough =
  (address: string, secret: string | undefined): Join =>
  ({ address: ownAddress, instanceId, nodeId }, clusterId) => {
    const ask = Effect.fnUntraced(function* <A>(
      request: HttpClientRequest.HttpClientRequest,
      schema: Schema.Codec<A, unknown>
    ) {
      const response = yield* HttpClient.execute(request).pipe(Effect.mapError(() => silent))
      const text = yield* Effect.mapError(response.text, () => silent)
      if (response.status !== 200) return yield* refusalOf(response.status, text)
      return yield* Effect.mapError(Schema.decodeEffect(Schema.fromJsonString(schema))(text), () => noNode)
    })

    const attempt = Effect.gen(function* () {
      if (address === ownAddress) return yield* final("that is this node's own address: give the address of a member")
      const host = address.replace(/:\d+$/, "")
      if (secret === undefined && !isLoopback(host)) {
        return yield* final("it is on another host, and this node has no secret: start it with the cluster's secret")
      }
      const url = `http://${yield* (yield* Resolver)(address)}${joinPath}`
      const { challenge } = yield* ask(HttpClientRequest.get(url), JoinChallenge)
      const exchange = { secret, challenge, nonce: JoinProof.makeNonce() }
      const node = { id: nodeId, address: ownAddress, instanceId }
      const proof = JoinProof.proveNode(exchange, node, clusterId)
      const asked = HttpClientRequest.post(url).pipe(
        HttpClientRequest.bodyJsonUnsafe({ challenge, clusterId, node, nonce: exchange.nonce, proof })
      )
      const { proof: proven, ...membership } = yield* ask(asked, JoinAnswer)
      if (
        !JoinProof.isProvenBy(exchange, proven, (each) =>
          JoinProof.proveMember(each, membership.clusterId, membership.members)
        )
      ) {
        return yield* final("it did not prove the cluster's secret: check the address and the secret")
      }
      return membership
    })

    let said: { readonly message: string; count: number } | undefined
    const say = ({ message }: NotTaken) =>
      Effect.suspend(() => {
        if (said?.message === message && said.count < saidEveryCount) {
          said.count += 1
          return Effect.void
        }
        said = { message, count: 1 }
        return Effect.logWarning(`Waiting to join through ${address}: ${message}`)
      })

    return attempt.pipe(
      // A member that hangs accepts the connection and does not answer.
      Effect.timeoutOrElse({
        duration: attemptTimeoutMs,
        orElse: () => Effect.fail(passing(`it did not answer within ${attemptTimeoutMs / 1000} s`))
      }),
      Effect.tapError((error) => (error.isFinal ? Effect.void : say(error))),
      Effect.retry({ schedule: again, while: ({ isFinal }) => !isFinal }),
      Effect.mapError(
        ({ message }) =>
          new FormingRefused({ reason: "JoinRefused", message: `Cannot join through ${address}: ${message}` })
      ),
      // A node never redirects.
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
      Effect.provide(FetchHttpClient.layer)
    )
  }

const silent = passing("it does not answer")
const noNode = final("it is not a Lithair node, or it has an older release")

/** Judges an answer other than 200. Only a problem from a node is final, or an answer that shows that it is not a node. */
const refusalOf = (status: number, text: string): NotTaken => {
  const read = Schema.decodeOption(Schema.fromJsonString(Refusal))(text)
  const isOfNode = read._tag === "Some" && read.value.type.startsWith("urn:lithair:problem:")
  if (!isOfNode) return status >= 500 || status === 429 ? passing(`it answered ${status}`) : noNode
  const { detail, reason = "", type } = read.value
  if (status === 404 || status === 405) return noNode
  const isFinal =
    [400, 401, 403, 413, 415].includes(status) ||
    finalReasons.includes(reason) ||
    type === "urn:lithair:problem:removed"
  return isFinal ? final(detail) : passing(detail)
}
