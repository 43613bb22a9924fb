/**
 * Tells the status of keyed commands on this node, from its tables, from its log if only the log knows, and from the
 * commands under way here. The caller makes sure that the node is up to date enough. C17.
 */
import { Effect } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { type CommandResult, type Logged, recalled } from "../Machine/CommandResult.ts"
import { isKeyClosed } from "../Machine/decideKey.ts"
import type { KeyStatus, Recalled } from "../Machine/KeyStatus.ts"
import type { Machine } from "../Machine/Machine.ts"
import { recall } from "../Machine/Recall.ts"
import * as Sessions from "../Machine/Sessions.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { Feed } from "./Feed.ts"

export interface Recalling {
  /** Returns the same result, with the answer of the first copy read from the log if only the log has it. */
  readonly told: <A extends { readonly answer: CommandResult | Logged }>(
    answered: A
  ) => Effect.Effect<Omit<A, "answer"> & { readonly answer: CommandResult }, UnknownOutcome>
  /** The status of a key, as far as this node has applied the log. */
  readonly keyStatus: (keyed: Sessions.Keyed) => Effect.Effect<KeyStatus, NotDone>
  /** Runs the effect of a keyed command, and counts the command as under way until it ends. */
  readonly underWay: <A, E, R>(keyed: Sessions.Keyed, command: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Whether a client of this node, or a peer, waits for the command here. */
  readonly isUnderWay: (keyed: Sessions.Keyed) => boolean
}

export const make = ({ feed, machine }: { readonly feed: Feed; readonly machine: Machine }): Recalling => {
  /** The number of copies under way, by key. Bounded by the commands that wait. */
  const counts = new Map<string, number>()

  /** Returns undefined if the entry is compacted away. */
  const read = (index: number): Effect.Effect<Recalled | undefined, NotDone> =>
    feed.read({ fromIndex: index, maxBytes: 1 }).pipe(
      Effect.map(([entry]) => {
        const transaction = entry?.index === index ? entry.transaction : undefined
        invariant(transaction !== undefined, `entry ${index} was read as that of a key and is no transaction`)
        return { command: transaction.command, outcome: recall(machine.applied, { index, transaction }) }
      }),
      Effect.catchTag("LogFailed", (error) =>
        error.reason === "compacted" ? Effect.succeed(undefined) : unreadable(error)
      ),
      Effect.catchTag("LogCorrupt", unreadable)
    )

  const count = (name: string, by: 1 | -1): void => {
    const next = (counts.get(name) ?? 0) + by
    if (next === 0) counts.delete(name)
    else counts.set(name, next)
  }

  const isUnderWay = (keyed: Sessions.Keyed): boolean => counts.has(Sessions.nameOf(keyed))

  /** Whether this leader has decided the command and not committed it yet. Its client may have given up. */
  const isProposed = (keyed: Sessions.Keyed): boolean => {
    const { speculative } = machine
    return speculative !== undefined && Sessions.find(speculative, keyed, speculative.logAgeMs) !== undefined
  }

  return {
    told: ({ answer, ...rest }) =>
      answer._tag === "Logged"
        ? read(answer.replayedIndex).pipe(
            // The first copy was done or refused, and this node cannot tell which.
            Effect.mapError(({ message }) => new UnknownOutcome({ message })),
            Effect.map((known) => ({ ...rest, answer: recalled(known?.outcome, answer.replayedIndex) }))
          )
        : Effect.succeed({ ...rest, answer }),
    keyStatus: Effect.fnUntraced(function* (keyed) {
      const known = Sessions.find(machine.applied, keyed, machine.applied.logAgeMs)
      if (known === undefined) return { _tag: isUnderWay(keyed) || isProposed(keyed) ? "Pending" : "Absent" } as const
      if (known._tag === "Expired") return known
      const became = known._tag === "Kept" ? known : yield* read(known.index)
      if (became === undefined) return { _tag: "Expired" }
      const { command, outcome } = became
      return isKeyClosed(outcome) ? { _tag: "Closed" } : { _tag: "Known", index: known.index, command, outcome }
    }),
    underWay: (keyed, command) =>
      Effect.suspend(() => {
        const name = Sessions.nameOf(keyed)
        count(name, 1)
        return Effect.ensuring(
          command,
          Effect.sync(() => count(name, -1))
        )
      }),
    isUnderWay
  }
}

const unreadable = (error: LogFailed | LogCorrupt) =>
  Effect.fail(new NotDone({ reason: "no-quorum", message: `Cannot tell what was done: ${error.message}` }))
