/** A fact that must hold whatever the disk, the network or a client does. Pure. A broken one is a defect: it stops the node. */

/** Thrown by {@link invariant}; never caught, so that a node with a broken state says nothing more. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation"
}

/**
 * Stops the node when `condition` is false.
 *
 * @example
 * ```ts
 * const { commitIndex, lastApplied } = { commitIndex: 5, lastApplied: 3 }
 * invariant(lastApplied <= commitIndex, "lastApplied passed commitIndex")
 * ```
 */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message)
}
