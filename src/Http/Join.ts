/** How an empty node asks a running cluster to take it in, through any of its members (RAFT C11). */
import { Data, Effect, Schedule } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { FormingRefused, type Join } from "../Raft/Formed.ts"
import { Membership } from "./AdminRoutes.ts"

/** A cluster without a leader, or in the midst of another change, may take the node in a moment later. */
const again = Schedule.spaced("500 millis")

/** How long a member may take to answer: longer than a change of the members does. */
const attemptTimeoutMs = 5_000

/** What a member answered that did not take the node in. */
class Answered extends Data.TaggedError("Answered")<{ readonly status: number; readonly text: string }> {
  override get message(): string {
    return this.text
  }
}

/** Asks the member at `address`, as often as it takes; a refusal that will not pass ends it. */
export const joinThrough =
  (address: string): Join =>
  ({ address: own, instanceId, nodeId }) =>
    Effect.gen(function* () {
      const response = yield* HttpClientRequest.post(`http://${address}/_admin/api/members`).pipe(
        HttpClientRequest.bodyJsonUnsafe({ id: nodeId, address: own, instanceId }),
        HttpClient.execute
      )
      if (response.status === 200) return yield* HttpClientResponse.schemaBodyJson(Membership)(response)
      return yield* new Answered({ status: response.status, text: yield* response.text })
    }).pipe(
      // A member that stands still takes the connection and says nothing.
      Effect.timeout(attemptTimeoutMs),
      Effect.tapError((error) => Effect.logWarning(`Waiting to join through ${address}: ${error.message}`)),
      Effect.retry({ schedule: again, while: (error) => !(error._tag === "Answered" && isFinal(error)) }),
      Effect.mapError(({ message }) => {
        return new FormingRefused({ reason: "JoinRefused", message: `Cannot join through ${address}: ${message}` })
      }),
      Effect.provide(FetchHttpClient.layer)
    )

/** A mistake stays one; a conflict may pass, unless another node has this one's name. */
const isFinal = ({ status, text }: Answered): boolean =>
  status === 400 || status === 404 || text.includes("alreadyMember")
