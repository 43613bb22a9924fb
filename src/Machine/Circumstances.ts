/** What a decision depends on besides the tables and the command. Pure data. D2. */
import type { Caller } from "../Access/Caller.ts"
import type { Policy } from "../Access/Policy.ts"
import type { Guard } from "./Guard.ts"

/** The inputs of the deciding node: the index of the entry, its clock, and fresh ids. */
export interface Circumstances {
  readonly index: number
  readonly nowMs: number
  /** The term of the entry. The chain of digests covers it; a node's own log has none. */
  readonly term?: number
  readonly newId: () => string
  /** Who asks; absent for an anonymous caller. */
  readonly caller?: Caller
  /** What the caller may do; absent where no rule holds for it. */
  readonly guard?: Guard
  /** What the node enforces; absent if it is open. */
  readonly policy?: Policy
  /** The `traceparent` of the span that the command is part of, if its client wants it traced. No decision depends on it. */
  readonly trace?: string
  /** Present if a handler acts for a caller: what that caller may do. */
  readonly acting?: Guard
}
