/**
 * Runs followers of the log on this node while it leads, and no longer: reactions, and projections into SQL. Begins one
 * again after a defect, ends all when the node stops, tells how far each is, and lets operators steer it (Steering.ts).
 */
import { Cause, Clock, Effect, Fiber, FiberSet, type Scope } from "effect"
import { system } from "../Access/Caller.ts"
import type { Member } from "../Cluster/Member.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { sentBy } from "../Machine/Command.ts"
import * as Condition from "../Raft/node/Condition.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import * as StateLines from "../Raft/node/StateLines.ts"
import { type EventAt, type Parked, type Position, recordedIn, recording, type Stumbled } from "./Position.ts"
import { type Action, SteeringRefused, steered } from "./Steering.ts"

/** How often a node checks whether it leads. A follower goes on at most so long after leadership ends. */
const lookEveryMs = 20
/** The pause before a follower starts again after a defect or a failed read of the log. */
const restartMs = 1_000
/** How long followers may take to end when their node stops. */
const restMs = 1_000
/** How often an operator's action is decided anew, if the record has changed meanwhile. */
const steerAgainCount = 5
/** The most characters of an event's failure in the status. The node's log has all of it. */
const metMaxLength = 500

/** The parts of the member that such followers need. */
export type Leader = Pick<Member["Service"], "feed" | "leader" | "self" | "readIndex" | "submit" | "tables">

/** Receives the progress of a follower. */
export interface Watcher {
  /** Called at every step. */
  readonly at: (position: Position) => void
  /** Called with the failure of an event that is retried, and with undefined once the event is done. */
  readonly failing: (met: string | undefined) => void
  /** Says in the node's log that events fail, and that they are done again. */
  readonly said: StateLines.StateLines<"failing" | "done">
  /** Called with the time of an event before it is run, and with undefined once no event is known to wait. */
  readonly running: (timeMs: number | undefined) => void
}

/** Why a follower stops for as long as this node leads. */
export interface Stopped {
  readonly _tag: string
  readonly message: string
}

/** A follower that the leader runs. */
export interface Follower<R> {
  readonly name: string
  /** The id of its record among those of Position.ts. */
  readonly recordId: string
  /** Follows until it is interrupted: as soon as this node is no longer the leader. */
  readonly lead: (watcher: Watcher) => Effect.Effect<never, Stopped | LogFailed, R>
}

/** The progress of a follower: exact on the leader, the last recorded position on other nodes. */
export interface LedStatus {
  readonly name: string
  readonly isRunning: boolean
  /** All entries through `index` are done; `lag` more are applied on this node. */
  readonly index: number
  readonly lagCount: number
  /** Why it has stopped, or the failure of the event that it is retrying. Only on the leader. */
  readonly failure: string | undefined
  /** When the oldest event was committed that is not done yet, by the clock of its leader. Only on the leader. */
  readonly oldestEventMs: number | undefined
  /** The event that it is retrying, as the cluster has recorded it. */
  readonly stumbled: Stumbled | undefined
  /** The events that operators have put aside. */
  readonly parked: ReadonlyArray<Parked>
}

/** The followers of one kind on this node. */
export interface Led {
  readonly status: () => ReadonlyArray<LedStatus>
  /**
   * Skips, parks or retries the event `at` of a follower, on whichever node. Refused unless the follower stumbles over
   * this event or has it parked.
   */
  readonly steer: (
    name: string,
    action: Action,
    at: EventAt
  ) => Effect.Effect<void, SteeringRefused | NotDone | UnknownOutcome>
  /** Ends all followers of a node that is stopping. They record their positions before it returns. */
  readonly rest: Effect.Effect<void>
}

interface Own {
  readonly name: string
  readonly recordId: string
  /** Set while the follower runs on this node. */
  position: Position | undefined
  failure: string | undefined
  oldestEventMs: number | undefined
}

/** Describes the failure of an effect by its name and message, for operators. */
export const metOf = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause)
    .map(({ message, name }) => [name, message].filter((part) => part !== "" && part !== "Error").join(": "))
    .join("; ")
    .slice(0, metMaxLength)

/** Whether a follower needs entries that this node no longer holds. */
const isCompacted = (failure: Stopped | LogFailed): failure is LogFailed =>
  failure._tag === "LogFailed" && "reason" in failure && failure.reason === "compacted"

/** Runs followers of one kind beside a member until the scope closes. */
export const make = Effect.fnUntraced(function* <R>(
  kind: "reaction" | "projection",
  followers: ReadonlyArray<Follower<R>>,
  member: Leader
): Effect.fn.Return<Led, never, R | Scope.Scope> {
  /** Whether this node led at the last check. All followers go by this. */
  let leads = false
  const leadership = Condition.make()
  const clock = yield* Clock.Clock
  const fork = yield* FiberSet.makeRuntime<never>()
  const nowNanos = () => clock.monotonicTimeNanosUnsafe()
  const said = StateLines.make<"failing" | "done">({ nowNanos, fork, initial: "done" })
  const look = Effect.suspend(() => {
    const before = leads
    leads = member.leader() === member.self.nodeId
    if (leads !== before) leadership.changed()
    return Effect.sleep(lookEveryMs)
  })

  /** Runs a follower for one term of leadership. A failure stops it only for this term: the next may begin further on. */
  const runWhileLeading = (follower: Follower<R>, own: Own) => {
    const stop = ({ message }: Stopped) =>
      Effect.andThen(
        Effect.logError(`The ${kind} ${follower.name} stops while this node leads: ${message}`),
        Effect.suspend(() => {
          own.position = undefined
          own.failure = message
          return Effect.never
        })
      )
    const watcher: Watcher = {
      at: (position) => {
        own.position = position
      },
      failing: (met) => {
        own.failure = met
      },
      running: (timeMs) => {
        own.oldestEventMs = timeMs
      },
      said
    }
    const leading = Effect.catch(follower.lead(watcher), (failure) => {
      if (isCompacted(failure)) {
        // It begins again once the node has fetched from its peers what its history lacks.
        const nextIndex = (own.position ?? recordedIn(member.tables, follower.recordId).position)?.index ?? 0
        return Effect.raceFirst(stop(failure), member.feed.reaches(nextIndex + 1))
      }
      return failure._tag === "LogFailed" ? Effect.die(failure) : stop(failure)
    })
    const led = leadership.until(() => !leads)
    return leadership
      .until(() => leads)
      .pipe(
        Effect.andThen(Effect.raceFirst(leading, led)),
        Effect.ensuring(
          Effect.sync(() => {
            own.position = undefined
            own.failure = undefined
            own.oldestEventMs = undefined
            said.forget(follower.name)
          })
        )
      )
  }

  const run = (follower: Follower<R>, own: Own) =>
    Effect.forever(runWhileLeading(follower, own)).pipe(
      // This does not catch the fiber's own interruption. It treats any other interruption as a defect.
      Effect.catchCause((cause) =>
        Effect.andThen(
          Effect.logError(`The ${kind} ${follower.name} failed with a defect, starting it again`, cause),
          Effect.sleep(restartMs)
        )
      ),
      Effect.forever
    )

  const running: Array<Fiber.Fiber<never>> = []
  // An uninterruptible effect must not hold up a node that stops, neither here nor when the scope closes.
  const rest = yield* Effect.cached(
    Effect.suspend(() => Fiber.interruptAll(running)).pipe(Effect.interruptible, Effect.timeout(restMs), Effect.ignore)
  )
  yield* Effect.addFinalizer(() => rest)
  const all: Array<Own> = []
  for (const follower of followers) {
    const { name, recordId } = follower
    invariant(!all.some((other) => other.name === name), `Two ${kind}s are named "${name}"`)
    const own: Own = { name, recordId, position: undefined, failure: undefined, oldestEventMs: undefined }
    all.push(own)
    running.push(yield* Effect.forkDetach(run(follower, own)))
  }
  if (all.length > 0) yield* Effect.forkScoped(Effect.forever(look))

  const steerOnce = Effect.fnUntraced(function* (recordId: string, action: Action, at: EventAt) {
    yield* member.readIndex
    const next = yield* Effect.fromResult(steered(recordedIn(member.tables, recordId), action, at))
    const { position } = next
    invariant(position !== undefined, `a ${kind} stumbled before it had a position`)
    const { result } = yield* member.submit(sentBy(system, recording(recordId, position, next), false))
    if (result._tag === "Accepted") return
    if (result.rejection._tag === "VersionConflict") return yield* new SteeringRefused({ reason: "changing" })
    return yield* Effect.die(new Error(`The record of a ${kind} was refused: ${result.rejection._tag}`))
  })

  return {
    rest,
    steer: (name, action, at) => {
      const own = all.find((each) => each.name === name)
      if (own === undefined) return Effect.fail(new SteeringRefused({ reason: "unknown" }))
      return steerOnce(own.recordId, action, at).pipe(
        Effect.retry({ times: steerAgainCount, while: (met) => "reason" in met && met.reason === "changing" })
      )
    },
    status: () =>
      all.map(({ failure, name, oldestEventMs, position, recordId }) => {
        const { parked, position: recorded, stumbled } = recordedIn(member.tables, recordId)
        const index = (position ?? recorded)?.index ?? 0
        const lagCount = member.feed.countAfter(index)
        return { name, isRunning: position !== undefined, index, lagCount, failure, oldestEventMs, stumbled, parked }
      })
  }
})
