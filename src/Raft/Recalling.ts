/** Outcomes that only the log of this node tells, read from it. RAFT.md C17. */
import { Effect } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { recall } from "../Machine/Recall.ts"
import type { KeptOutcome } from "../Machine/Sessions.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Feed } from "./Feed.ts"
import { NotDone } from "./Outcome.ts"

/** The name of a command, and what it came to. */
export interface Recalled {
  readonly command: string
  readonly outcome: KeptOutcome
}

const unreadable = (error: LogFailed | LogCorrupt) =>
  Effect.fail(new NotDone({ reason: "no-quorum", message: `Cannot tell what was done: ${error.message}` }))

/** What the keyed entry at `index`, which is applied here, came to; undefined where it is compacted away. */
export const recallFrom = (
  node: { readonly feed: Feed; readonly tables: () => Tables },
  index: number
): Effect.Effect<Recalled | undefined, NotDone> =>
  node.feed.read({ fromIndex: index, maxBytes: 1 }).pipe(
    Effect.map(([entry]) => {
      const transaction = entry?.index === index ? entry.transaction : undefined
      invariant(transaction !== undefined, `entry ${index} was read as that of a key and holds no transaction`)
      return { command: transaction.command, outcome: recall(node.tables(), { index, transaction }) }
    }),
    Effect.catchTag("LogFailed", (error) =>
      error.reason === "compacted" ? Effect.succeed(undefined) : unreadable(error)
    ),
    Effect.catchTag("LogCorrupt", unreadable)
  )
