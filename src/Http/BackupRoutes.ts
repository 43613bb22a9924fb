/**
 * The routes of backups: an archive of this node, made while writes go on, for operators alone, since it holds every
 * record; and how scheduled backups stand. docs/backup.md.
 */
import { Effect, Schema, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { BackupStatus, Backups } from "../Backup/Backups.ts"
import { takeArchive } from "../Backup/TakeArchive.ts"
import type { Member } from "../Cluster/Member.ts"
import { type Problem, type ProblemError, problem } from "../Problem.ts"
import { draining } from "../Raft/node/Outcome.ts"
import type { Freshening } from "../Repository/Freshness.ts"
import { noFlags } from "./AdminRoutes.ts"
import { operating, viewing } from "./OperatorRoutes.ts"
import { invalidQuery, only, parseParams, refuseOthers } from "./Params.ts"
import { noRead, parseConsistency, problemOfRead, readParameters } from "./ReadQuery.ts"
import { takenInTime } from "./Stuck.ts"

export const backupPath = "/_admin/api/backup"
/** The path of the scheduled backups. */
export const backupsPath = "/_admin/api/backups"
/** The media type of an archive. */
export const archiveMediaType = "application/vnd.lithair.archive"

/** The entry from which on a restore may choose its point, and how new the state must be. */
const queryOf = Effect.fnUntraced(function* ({ headers, url }: HttpServerRequest.HttpServerRequest) {
  const params = yield* Effect.fromResult(parseParams(url))
  yield* Effect.fromResult(refuseOthers(params, ["after", ...readParameters]))
  const errors: Array<ProblemError> = []
  const after = only(params, "after", errors)
  if (after !== undefined && !/^\d{1,16}$/.test(after)) errors.push({ path: "after", message: "takes an index from 0" })
  if (errors.length > 0) return yield* invalidQuery(noRead, errors)
  const consistency = yield* Effect.fromResult(parseConsistency(params, headers["lithair-min-index"]))
  return { consistency, after: after === undefined ? undefined : Number(after) }
})

const gone = (oldestIndex: number): Problem =>
  problem(
    "history-gone",
    `This node does not hold the entries from there on: the oldest point it has is ${oldestIndex}`,
    {
      oldestIndex
    }
  )

const unreadable = problem("internal", "The archive cannot be made: see the node's log", {})

const busy = problem("overloaded", "This node makes another archive: try again later", { definite: true })

/** A scheduled backup as the administration shows it. */
export const ScheduledBackup = Schema.Struct({
  store: Schema.String,
  shipping: Schema.Boolean.annotate({ description: "Whether this node ships: the leader does" }),
  state: Schema.NullOr(Schema.Struct({ index: Schema.Int, at: Schema.String })).annotate({
    description: "The newest state in the store, as the node that ships knows it"
  }),
  index: Schema.Int.annotate({ description: "The last entry in the store" }),
  lag: Schema.Int.annotate({ description: "Applied entries that are not in the store yet" }),
  failure: Schema.NullOr(Schema.String)
}).annotate({ identifier: "lithair.ScheduledBackup" })

const statusOf = ({ failure, index, isShipping, lagCount, place, snapshot }: BackupStatus) => ({
  store: place,
  shipping: isShipping,
  state: snapshot === undefined ? null : { index: snapshot.index, at: new Date(snapshot.timeMs).toISOString() },
  index,
  lag: lagCount,
  failure: failure ?? null
})

/** Makes the routes. One archive at a time is made. */
export const backupRoutes = (
  { backups, member }: { readonly backups: Backups["Service"]; readonly member: Member["Service"] },
  freshening: Freshening
) => {
  let isBusy = false
  /** The request's scope ends it, when the answer is sent or its client is gone. */
  const turn = Effect.acquireRelease(
    Effect.suspend(() => {
      if (isBusy) return Effect.fail(busy)
      isBusy = true
      return Effect.void
    }),
    () =>
      Effect.sync(() => {
        isBusy = false
      })
  )
  const backup = Effect.fnUntraced(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { after, consistency } = yield* queryOf(request)
    // It would be cut before its end.
    if (member.isDraining()) return yield* Effect.fail(draining.toProblem())
    yield* turn
    yield* Effect.mapError(freshening.freshen(consistency), problemOfRead)
    const { bytes, manifest } = yield* takeArchive(member, { after }).pipe(
      Effect.catchTags({
        HistoryGone: ({ oldestIndex }) => Effect.fail(gone(oldestIndex)),
        NotReady: ({ message }) => Effect.fail(problem("not-caught-up", message, {})),
        LogFailed: (failed) =>
          Effect.andThen(Effect.logError("An archive cannot be made", failed), Effect.fail(unreadable))
      })
    )
    // The client sees a cut archive, which has no end. This node's operator sees why.
    const logged = Stream.tapError(bytes, (failed) => Effect.logError("An archive ended early", failed))
    return HttpServerResponse.stream(yield* takenInTime(logged, request), {
      contentType: archiveMediaType,
      headers: {
        "content-disposition": `attachment; filename="${manifest.clusterId}-${manifest.last.index}.lithair"`,
        "cache-control": "no-store"
      }
    })
  })
  const scheduled = Effect.andThen(
    noFlags,
    Effect.sync(() => HttpServerResponse.jsonUnsafe({ items: backups.status().map(statusOf) }))
  )
  return [operating("GET", backupPath, backup), viewing(backupsPath, scheduled)] as const
}
