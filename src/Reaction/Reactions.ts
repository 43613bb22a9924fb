/** The reactions of one node. They run only while this node leads. */
import { Clock, Context, Effect, Fiber, FiberSet, Layer } from "effect"
import { system } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { sentBy } from "../Machine/Command.ts"
import * as Condition from "../Raft/node/Condition.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import * as StateLines from "../Raft/node/StateLines.ts"
import type { Reaction } from "./Definition.ts"
import * as Leading from "./Leading.ts"
import { type EventAt, type Parked, type Position, recordedIn, recording, type Stumbled } from "./Position.ts"
import { type Action, SteeringRefused, steered } from "./Steering.ts"

/** How often a node checks whether it leads. A reaction goes on at most so long after leadership ends. */
const lookEveryMs = 20
/** The pause before a reaction starts again after a defect or a failed read of the log. */
const restartMs = 1_000
/** How long reactions may take to end when their node stops. */
const restMs = 1_000
/** How often an operator's action is decided anew, if the record has changed meanwhile. */
const steerAgainCount = 5

/** The progress of a reaction: exact on the leader, the last recorded position on other nodes. */
export interface ReactionStatus {
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

/** The reactions of this node. */
export class Reactions extends Context.Service<
  Reactions,
  {
    readonly status: () => ReadonlyArray<ReactionStatus>
    /**
     * Skips, parks or retries the event `at` of a reaction, on whichever node. Refused unless the reaction stumbles over
     * this event or has it parked.
     */
    readonly steer: (
      name: string,
      action: Action,
      at: EventAt
    ) => Effect.Effect<void, SteeringRefused | NotDone | UnknownOutcome>
    /** Stops all reactions of a node that is stopping. Records their positions before it returns. */
    readonly rest: Effect.Effect<void>
  }
>()("lithair/Reaction/Reactions") {}

interface Own {
  readonly name: string
  /** Set while the reaction runs on this node. */
  position: Position | undefined
  failure: string | undefined
  oldestEventMs: number | undefined
}

/** Runs reactions beside a member until the scope closes. */
export const make = Effect.fnUntraced(function* <R>(reactions: ReadonlyArray<Reaction<R>>, member: Leading.Reactive) {
  /** Whether this node led at the last check. All reactions go by this. */
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

  /** Runs a reaction for one term of leadership. A failure stops it only for this term: the next may begin further on. */
  const runWhileLeading = (reaction: Reaction<R>, own: Own) => {
    const stop = ({ message }: { readonly message: string }) =>
      Effect.andThen(
        Effect.logError(`The reaction ${reaction.name} stops while this node leads: ${message}`),
        Effect.suspend(() => {
          own.position = undefined
          own.failure = message
          return Effect.never
        })
      )
    const leading = Leading.lead(reaction, member, {
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
    }).pipe(
      Effect.catchTag("LogFailed", (failed) => {
        if (failed.reason !== "compacted") return Effect.fail(failed)
        // It begins again once the node has fetched from its peers what its history lacks.
        const nextIndex = (recordedIn(member.tables, reaction.name).position?.index ?? 0) + 1
        return Effect.raceFirst(stop(failed), member.feed.reaches(nextIndex))
      }),
      Effect.catchTags({ ReactionFailed: stop, LogCorrupt: stop })
    )
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
            said.forget(reaction.name)
          })
        )
      )
  }

  const run = (reaction: Reaction<R>, own: Own) =>
    Effect.forever(runWhileLeading(reaction, own)).pipe(
      // This does not catch the fiber's own interruption. It treats any other interruption as a defect.
      Effect.catchCause((cause) =>
        Effect.andThen(
          Effect.logError(`The reaction ${reaction.name} failed with a defect, starting it again`, cause),
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
  for (const reaction of reactions) {
    const { name } = reaction
    invariant(!all.some((other) => other.name === name), `Two reactions are named "${name}"`)
    const own: Own = { name, position: undefined, failure: undefined, oldestEventMs: undefined }
    all.push(own)
    running.push(yield* Effect.forkDetach(run(reaction, own)))
  }
  if (all.length > 0) yield* Effect.forkScoped(Effect.forever(look))

  const steerOnce = Effect.fnUntraced(function* (name: string, action: Action, at: EventAt) {
    yield* member.readIndex
    const next = yield* Effect.fromResult(steered(recordedIn(member.tables, name), action, at))
    const { position } = next
    invariant(position !== undefined, "a reaction stumbled before it had a position")
    const { result } = yield* member.submit(sentBy(system, recording(name, position, next), false))
    if (result._tag === "Accepted") return
    if (result.rejection._tag === "VersionConflict") return yield* new SteeringRefused({ reason: "changing" })
    return yield* Effect.die(new Error(`The record of a reaction was refused: ${result.rejection._tag}`))
  })

  return Reactions.of({
    rest,
    steer: (name, action, at) => {
      if (!all.some((own) => own.name === name)) return Effect.fail(new SteeringRefused({ reason: "unknownReaction" }))
      return steerOnce(name, action, at).pipe(
        Effect.retry({ times: steerAgainCount, while: (met) => "reason" in met && met.reason === "changing" })
      )
    },
    status: () =>
      all.map(({ failure, name, oldestEventMs, position }) => {
        const { parked, position: recorded, stumbled } = recordedIn(member.tables, name)
        const index = (position ?? recorded)?.index ?? 0
        const lagCount = member.feed.countAfter(index)
        return { name, isRunning: position !== undefined, index, lagCount, failure, oldestEventMs, stumbled, parked }
      })
  })
})

/** Runs the reactions of a node. Its member must also have the internal model of positions (`descriptor` in Position.ts). */
export const layer = <R>(reactions: ReadonlyArray<Reaction<R>>): Layer.Layer<Reactions, never, Member | R> =>
  Layer.effect(
    Reactions,
    Effect.flatMap(Member, (member) => make(reactions, member))
  )
