/**
 * How an empty node asks a running cluster to take it in, through any of its members. What may pass is tried again; what
 * stays as it is ends the node with one line.
 */
import { Data, Effect, Schedule, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { FormingRefused, type Join } from "../Cluster/Forming.ts"
import { isLoopback } from "../Raft/peers/Handshake.ts"
import * as JoinProof from "../Raft/peers/JoinProof.ts"
import { Resolver } from "../Raft/peers/Resolver.ts"
import { JoinAnswer, JoinChallenge, joinPath } from "./JoinRoutes.ts"

/** A cluster without a leader, or in the midst of another change, may take the node in a moment later. */
const again = Schedule.spaced("500 millis")

/** How long a member may take to answer: longer than a change of the members does. */
const attemptTimeoutMs = 5_000
/** After so many attempts that met the same it is said again. */
const saidEveryCount = 10

/** Why a member did not take the node in. One that is final will be met for ever. */
class NotTaken extends Data.TaggedError("NotTaken")<{ readonly message: string; readonly isFinal: boolean }> {}

const final = (message: string) => new NotTaken({ message, isFinal: true })
const passing = (message: string) => new NotTaken({ message, isFinal: false })

/** A problem, as far as it matters here. */
const Refusal = Schema.Struct({
  type: Schema.String,
  detail: Schema.String,
  reason: Schema.optionalKey(Schema.String)
})

/** Conflicts that no waiting ends. */
const finalReasons: ReadonlyArray<string> = ["alreadyMember", "otherCluster", "tooManyMembers"]

/** Asks the member at `address`, as often as it takes; a refusal that will not pass ends it. */
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
      if (address === ownAddress) return yield* final("it is this node itself")
      const host = address.replace(/:\d+$/, "")
      if (secret === undefined && !isLoopback(host)) {
        return yield* final("it is on another host, and this node has no secret to prove")
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
      if (!JoinProof.isProof(proven, JoinProof.proveMember(exchange, membership.clusterId, membership.members))) {
        return yield* final("it does not prove the cluster's secret")
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
      // A member that stands still takes the connection and says nothing.
      Effect.timeoutOrElse({
        duration: attemptTimeoutMs,
        orElse: () => Effect.fail(passing(`it does not answer within ${attemptTimeoutMs / 1000} s`))
      }),
      Effect.tapError((error) => (error.isFinal ? Effect.void : say(error))),
      Effect.retry({ schedule: again, while: ({ isFinal }) => !isFinal }),
      Effect.mapError(
        ({ message }) =>
          new FormingRefused({ reason: "JoinRefused", message: `Cannot join through ${address}: ${message}` })
      ),
      // A node sends nobody elsewhere.
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
      Effect.provide(FetchHttpClient.layer)
    )
  }

const silent = passing("it does not answer")
const noNode = final("it does not answer as a node of Lithair does, or is one of an older release")

/** What an answer other than 200 means. Only a node's own words are believed to be final, but for a path that is unknown. */
const refusalOf = (status: number, text: string): NotTaken => {
  const read = Schema.decodeOption(Schema.fromJsonString(Refusal))(text)
  const isOfNode = read._tag === "Some" && read.value.type.startsWith("urn:lithair:problem:")
  if (!isOfNode) return status >= 500 || status === 429 ? passing(`it answers ${status}`) : noNode
  const { detail, reason = "", type } = read.value
  if (status === 404 || status === 405) return noNode
  const isFinal =
    [400, 401, 403, 413, 415].includes(status) ||
    finalReasons.includes(reason) ||
    type === "urn:lithair:problem:removed"
  return isFinal ? final(detail) : passing(detail)
}
