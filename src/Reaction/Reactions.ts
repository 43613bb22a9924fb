/** The reactions of one node: each runs while this node leads, and rests while another does. */
import { Context, Effect, Fiber, Layer } from "effect"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import * as Condition from "../Raft/node/Condition.ts"
import type { Reaction } from "./Definition.ts"
import * as Leading from "./Leading.ts"
import { type Position, recordedIn } from "./Position.ts"

/** How often a node looks whether it leads: so long at most does a reaction go on after it does not. */
const lookEveryMs = 20
/** How long after a defect, or a failed read of the log, a reaction is begun again. */
const restartMs = 1_000
/** How long reactions may take to end when their node is about to stop. */
const restMs = 1_000

/** Where a reaction is, as this node knows it: here on the leader, and as it was recorded last on the others. */
export interface ReactionStatus {
  readonly name: string
  readonly isRunning: boolean
  /** All entries through this one are done; and how many are applied here that are not. */
  readonly index: number
  readonly lagCount: number
  /** What stops it while this node leads; or, where it is running, what its event met that is tried again. */
  readonly failure: string | undefined
}

export class Reactions extends Context.Service<
  Reactions,
  {
    readonly status: () => ReadonlyArray<ReactionStatus>
    /** Runs none from now on, and has what was done recorded when it returns: for a node that is about to stop. */
    readonly rest: Effect.Effect<void>
  }
>()("lithair/Reaction/Reactions") {}

interface Own {
  readonly name: string
  /** While it runs here. */
  position: Position | undefined
  failure: string | undefined
}

/** Runs reactions beside a member until the scope closes. */
export const make = Effect.fnUntraced(function* <R>(reactions: ReadonlyArray<Reaction<R>>, member: Leading.Reactive) {
  /** Whether this node led when it was last looked at: what all reactions go by. */
  let leads = false
  const leadership = Condition.make()
  const look = Effect.suspend(() => {
    const before = leads
    leads = member.leader() === member.self.nodeId
    if (leads !== before) leadership.changed()
    return Effect.sleep(lookEveryMs)
  })

  /** One term of leadership: what stops a reaction stops it for this one, since the next may begin further on. */
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
      }
    }).pipe(
      Effect.catchTag("LogFailed", (failed) => (failed.reason === "compacted" ? stop(failed) : Effect.fail(failed))),
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
          })
        )
      )
  }

  const run = (reaction: Reaction<R>, own: Own) =>
    Effect.forever(runWhileLeading(reaction, own)).pipe(
      // Of this fiber's own interruption it hears nothing: any other is met as a defect is.
      Effect.catchCause((cause) =>
        Effect.andThen(Effect.logError(`The reaction ${reaction.name} begins again`, cause), Effect.sleep(restartMs))
      ),
      Effect.forever
    )

  const running: Array<Fiber.Fiber<never>> = []
  // An effect that lets nobody interrupt it holds up no node that is to stop: not here, and not where the scope closes.
  const rest = yield* Effect.cached(
    Effect.suspend(() => Fiber.interruptAll(running)).pipe(Effect.interruptible, Effect.timeout(restMs), Effect.ignore)
  )
  yield* Effect.addFinalizer(() => rest)
  const all: Array<Own> = []
  for (const reaction of reactions) {
    const { name } = reaction
    invariant(!all.some((other) => other.name === name), `Two reactions are named "${name}"`)
    const own: Own = { name, position: undefined, failure: undefined }
    all.push(own)
    running.push(yield* Effect.forkDetach(run(reaction, own)))
  }
  if (all.length > 0) yield* Effect.forkScoped(Effect.forever(look))

  return Reactions.of({
    rest,
    status: () =>
      all.map(({ failure, name, position }) => {
        const index = (position ?? recordedIn(member.tables, name).position)?.index ?? 0
        const lagCount = Math.max(0, member.feed.appliedIndex() - index)
        return { name, isRunning: position !== undefined, index, lagCount, failure }
      })
  })
})

/** The reactions of the node's member, which must have been given the model of their positions too (`descriptor` of Position.ts). */
export const layer = <R>(reactions: ReadonlyArray<Reaction<R>>): Layer.Layer<Reactions, never, Member | R> =>
  Layer.effect(
    Reactions,
    Effect.flatMap(Member, (member) => make(reactions, member))
  )
