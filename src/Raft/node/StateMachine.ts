/** The machine as consensus needs it. A port; Machine has the machine itself. */
import type { Result } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { SnapshotContent } from "../../EventStore/SnapshotFormat.ts"

/** A decision: its result, and the entry for the log, if any. The result holds once that is committed. */
export interface Decision<CommandResult> {
  readonly result: CommandResult
  readonly entry: { readonly payload: Uint8Array } | undefined
}

/** Where in the log something is decided, and when by the wall clock. */
export interface DecidedAt {
  readonly index: number
  readonly term: number
  readonly nowMs: number
}

/** Synchronous and deterministic: it uses no clock or randomness except `at`. */
export interface StateMachine<Command, CommandResult> {
  /** Starts speculation: the applied state, evolved by the entries of the leader's log that are not applied yet. */
  readonly beginSpeculation: (unapplied: ReadonlyArray<LogEntry>) => void
  /** Forgets decisions ahead of commit, when leadership is lost or a batch was refused. */
  readonly dropSpeculation: () => void
  /** An entry that must come before all decisions: the limits of this release, if the log has older ones. */
  readonly opening: (at: DecidedAt) => Uint8Array | undefined
  /** Decides against the speculative state, and evolves it if the decision is an entry at `index`. */
  readonly decide: (command: Command, at: DecidedAt) => Decision<CommandResult>
  /** Evolves the applied state by a committed entry. Total, whatever the payload holds. */
  readonly apply: (entry: LogEntry) => void
  /** The applied state at this moment, encoded as it is pulled. Entries applied meanwhile do not change it. */
  readonly snapshot: () => SnapshotContent
  /** Takes the bytes of a snapshot. At the end it replaces the applied state, or returns what is wrong. */
  readonly restoring: (hash: RestoredHash) => Restoring
  /**
   * The hash of the applied state, four lanes of 32 bits, and the number of its definition. It changes with the state.
   */
  readonly hash: () => Uint32Array
  readonly hashDefinition: number
  /**
   * Computes the hash of the state's content, a little with each step. If it differs, it corrects the hash and returns
   * false.
   */
  readonly auditing: () => Iterator<void, boolean>
  readonly rebuilding: () => Rebuilding
}

/**
 * The hash of a restored state: counted from what was restored, or the one in the snapshot. A node believes that of its
 * own snapshot at a start, and counts it later, while it serves (`auditing`). Of a snapshot that a leader sends it counts
 * the hash at once.
 */
export type RestoredHash = "counted" | "asWritten"

/** A state that is rebuilt from its history beside the current one. */
export interface Rebuilding {
  readonly restoring: StateMachine<never, unknown>["restoring"]
  readonly apply: (entry: LogEntry) => void
  /** Replaces the current state. */
  readonly end: () => void
}

/** The bytes may be cut anywhere. */
export interface Restoring {
  readonly take: (bytes: Uint8Array) => void
  readonly end: () => Result.Result<void, string>
}
