/** What the shell of consensus needs of the machine that it replicates. A port; the machine itself is in Machine. */
import type { Result } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"

/** A decision: bytes for the log and the answer once they are committed, or an answer that needs no entry. */
export type Decision<Answer> =
  | { readonly _tag: "Append"; readonly payload: Uint8Array; readonly answer: Answer }
  | { readonly _tag: "Answer"; readonly answer: Answer }

/** Synchronous and deterministic: it reads no clock and no randomness but what `at` brings. */
export interface StateMachine<Command, Answer> {
  /** Starts speculation: the applied state, evolved by the entries of the leader's log that are not applied yet. */
  readonly beginSpeculation: (unapplied: ReadonlyArray<LogEntry>) => void
  /** Forgets what was decided ahead of commit: leadership is lost, or a batch was refused. */
  readonly dropSpeculation: () => void
  /** What is to be appended at `index` before anything is decided: the limits of this release, where the log has older ones. */
  readonly opening: (at: { readonly index: number; readonly nowMs: number }) => Uint8Array | undefined
  /** Decides against the speculative state, and evolves it where something is to be appended at `index`. */
  readonly decide: (command: Command, at: { readonly index: number; readonly nowMs: number }) => Decision<Answer>
  /** Evolves the applied state by a committed entry: total, whatever the payload holds. */
  readonly apply: (entry: LogEntry) => void
  /** The applied state at this moment, encoded as it is pulled: what is applied meanwhile does not change it. */
  readonly snapshot: () => Iterable<Uint8Array>
  /** Takes the bytes of a snapshot; at its end the applied state is that one, or it is said what is wrong with it. */
  readonly restoring: () => Restoring
  /** The hash of the applied state, four lanes of 32 bits, and the number of its definition. It changes with the state. */
  readonly hash: () => Uint32Array
  readonly hashDefinition: number
  /**
   * Counts the hash of what the state really holds, a little with each step, and sets the hash right where it differs:
   * whether it did not.
   */
  readonly auditing: () => Iterator<void, boolean>
  readonly rebuilding: () => Rebuilding
}

/** A state that is made anew from its history, beside the one in use. */
export interface Rebuilding {
  readonly restoring: () => Restoring
  readonly apply: (entry: LogEntry) => void
  /** It takes the place of the one in use. */
  readonly end: () => void
}

/** The bytes may be cut anywhere. */
export interface Restoring {
  readonly take: (bytes: Uint8Array) => void
  readonly end: () => Result.Result<void, string>
}
