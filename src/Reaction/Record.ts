/**
 * The record of a follower that the leader runs (Position.ts), as that leader keeps it: reads it linearizably, writes it
 * under the condition that nobody else has, and tells when an operator or another leader has written it.
 */
import { Effect, Schedule } from "effect"
import { system } from "../Access/Caller.ts"
import type { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { sentBy } from "../Machine/Command.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import {
  type Parked,
  type Position,
  type Recorded,
  recordedIn,
  recording,
  type Stumbled,
  versionIn
} from "./Position.ts"

/** The pause after the cluster did not take a record. */
const retryMs = 100

/** The parts of the member that a record needs. */
export type Recording = Pick<Member["Service"], "feed" | "readIndex" | "submit" | "tables">

/** What the next record says. */
export interface NextRecord {
  readonly position: Position
  readonly stumbled: Stumbled | undefined
  readonly parked: ReadonlyArray<Parked>
}

/** The record of one follower. */
export interface Keeper {
  /** The record as this leader read or wrote it last. */
  readonly recorded: () => Recorded
  /** The index at which the record was read first. */
  readonly firstIndex: number
  /** Reads the record again. */
  readonly resync: Effect.Effect<void>
  /** Writes the record once. Fails if the cluster does not take it. */
  readonly recordOnce: (next: NextRecord) => Effect.Effect<void, NotDone | UnknownOutcome | Refused>
  /** Writes the record until the cluster has taken it, and reads it again in between. `next` is asked each time. */
  readonly record: (next: () => NextRecord) => Effect.Effect<void>
  /** Whether somebody else has written the record: another leader, or an operator. */
  readonly isSteered: () => boolean
  /** Waits until somebody else has. */
  readonly steered: Effect.Effect<void>
}

/** The machine refused the record: somebody else has written it. */
export interface Refused {
  readonly _tag: "Refused"
}

/** Reads the record `id`, and keeps it. `resynced` is called when it was read again. */
export const keep = Effect.fnUntraced(function* (
  id: string,
  member: Recording,
  resynced: (recorded: Recorded) => void
): Effect.fn.Return<Keeper> {
  const { feed } = member
  const known = Effect.map(member.readIndex, (index) => ({ index, recorded: recordedIn(member.tables, id) })).pipe(
    Effect.retry(Schedule.spaced(retryMs)),
    Effect.orDie
  )
  const first = yield* known
  let recorded = first.recorded

  /** Another leader may have recorded more, or an operator. */
  const resync = Effect.gen(function* () {
    recorded = (yield* known).recorded
    resynced(recorded)
  })
  const recordOnce = Effect.fnUntraced(function* ({ parked, position, stumbled }: NextRecord) {
    const next = { ...recorded, stumbled, parked }
    const { result } = yield* member.submit(sentBy(system, recording(id, position, next), false))
    if (result._tag === "Rejected") return yield* Effect.fail<Refused>({ _tag: "Refused" })
    const [put] = result.answer.operations
    invariant(put !== undefined, "a position was recorded without an answer")
    recorded = { ...next, position, version: put.version }
  })
  const isSteered = () => versionIn(member.tables, id) !== recorded.version
  return {
    recorded: () => recorded,
    firstIndex: first.index,
    resync,
    recordOnce,
    record: (next) =>
      Effect.suspend(() => recordOnce(next())).pipe(
        Effect.tapError(() => resync),
        Effect.retry(Schedule.spaced(retryMs)),
        Effect.orDie
      ),
    isSteered,
    steered: Effect.gen(function* () {
      while (!isSteered()) yield* feed.applied(feed.appliedIndex() + 1)
    })
  }
})
