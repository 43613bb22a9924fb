/**
 * The spans of a traced command on the leader: the decision, then for its entry the sync of the leader's own disk, the
 * commit by a quorum, and applying. They are below the span that the command names. Few commands are traced, so it holds
 * few entries.
 */
import { Exit } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { parentIn, type Span, type Tracing } from "../../Tracing.ts"
import type { State } from "../core/State.ts"

/** The most entries that are followed at once. Commands beyond it have a decision and no more. */
const openMaxCount = 1_000

/** Follows traced commands of one node. */
export interface EntryTraces {
  /** A command that names a span is decided; `at` is the place of its entry, if it is one. */
  readonly decided: (
    traceparent: string,
    made: {
      readonly command: string
      readonly tookNanos: bigint
      readonly at: { readonly index: number; readonly term: number } | undefined
    }
  ) => void
  /** A write of the log begins. Call what this returns once it is durable; undefined if nobody asks. */
  readonly syncing: () => (() => void) | undefined
  /** The core has taken a step. */
  readonly stepped: (core: State) => void
  /** Applies an entry. */
  readonly applying: (entry: LogEntry, apply: () => void) => void
}

interface Followed {
  readonly index: number
  readonly term: number
  readonly parent: NonNullable<ReturnType<typeof parentIn>>
  readonly commit: Span
  isSynced: boolean
  isCommitted: boolean
}

export const make = (tracing: Tracing, nodeId: string): EntryTraces => {
  /** In the order of the log. */
  const open: Array<Followed> = []
  /** The last sync that has ended. */
  let synced: { readonly beganNanos: bigint; readonly endedNanos: bigint } | undefined

  const begin = (name: string, parent: Followed["parent"], at: { beganNanos?: bigint } = {}): Span => {
    const span = tracing.begin(name, { parent, ...at })
    span.note("lithair.node", nodeId)
    return span
  }

  /** Nobody knows here whether the entries are committed: this node leads no more. */
  const giveUp = (): void => {
    for (const { commit, isCommitted } of open) if (!isCommitted) end(commit, "unknown")
    open.length = 0
  }
  const end = (commit: Span, outcome: "committed" | "unknown"): void => {
    commit.note("lithair.outcome", outcome)
    commit.end(Exit.void)
  }

  return {
    decided: (traceparent, { at, command, tookNanos }) => {
      const parent = parentIn(traceparent)
      if (parent === undefined) return
      const endedNanos = tracing.nowNanos()
      const decide = begin("lithair.decide", parent, { beganNanos: endedNanos - tookNanos })
      decide.note("lithair.command", command)
      if (at !== undefined) decide.note("lithair.index", at.index)
      decide.end(Exit.void, endedNanos)
      if (at === undefined || open.length >= openMaxCount) return
      const commit = begin("lithair.commit", parent)
      commit.note("lithair.index", at.index)
      open.push({ ...at, parent, commit, isSynced: false, isCommitted: false })
    },
    syncing: () => {
      if (open.length === 0) return undefined
      const beganNanos = tracing.nowNanos()
      return () => {
        synced = { beganNanos, endedNanos: tracing.nowNanos() }
      }
    },
    stepped: ({ commitIndex, durableIndex, role }) => {
      if (open.length === 0) return
      for (const each of open) {
        if (!each.isSynced && each.index <= durableIndex && synced !== undefined) {
          each.isSynced = true
          const { beganNanos, endedNanos } = synced
          begin("lithair.sync", each.parent, { beganNanos }).end(Exit.void, endedNanos)
        }
        if (!each.isCommitted && each.index <= commitIndex) {
          each.isCommitted = true
          end(each.commit, "committed")
        }
      }
      if (role._tag !== "Leader") giveUp()
    },
    applying: (entry, apply) => {
      // Another entry may stand in the place of one that was undone.
      while (open[0] !== undefined && (open[0].index < entry.index || isOther(open[0], entry))) {
        const { commit, isCommitted } = open.shift()!
        if (!isCommitted) end(commit, "unknown")
      }
      const followed = open[0]?.index === entry.index ? open.shift() : undefined
      if (followed === undefined) return apply()
      const span = begin("lithair.apply", followed.parent)
      apply()
      span.end(Exit.void)
    }
  }
}

const isOther = ({ index, term }: Followed, entry: LogEntry): boolean => index === entry.index && term !== entry.term
