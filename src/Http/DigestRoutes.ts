/** The route that tells the digest of the log, for somebody outside to keep. docs/operating.md, "Evidence". */
import { Effect, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { stateHash } from "../Machine/Tables.ts"
import { notFound } from "../Problem.ts"
import { noFlags } from "./AdminRoutes.ts"
import { viewing } from "./OperatorRoutes.ts"
import { problemOfFailure } from "./Outcomes.ts"

export const digestPath = "/_admin/api/digest"

/** The chain of digests at an entry. */
export const Digest = Schema.Struct({
  clusterId: Schema.String,
  index: Schema.Int,
  digest: Schema.String.annotateKey({ description: "SHA-256 in hexadecimal, over all entries from `beganIndex` on" }),
  beganIndex: Schema.Int,
  stateHash: Schema.String
}).annotate({ identifier: "lithair.Digest" })

/** Makes the route. */
export const digestRoutes = (member: Member["Service"]) =>
  [
    viewing(
      digestPath,
      Effect.gen(function* () {
        yield* noFlags
        yield* Effect.mapError(member.readIndex, (error) => problemOfFailure(error, undefined))
        const { tables } = member
        if (tables.chain === undefined) {
          return yield* notFound("The log of this cluster has no digests: set tamperEvident in the application")
        }
        const { beganIndex, digest, index } = tables.chain
        const clusterId = member.clusterId() ?? ""
        return HttpServerResponse.jsonUnsafe(
          { clusterId, index, digest, beganIndex, stateHash: stateHash(tables) } satisfies typeof Digest.Type,
          { headers: { "cache-control": "no-store" } }
        )
      })
    )
  ] as const
