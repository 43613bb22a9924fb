/**
 * Removes local parts whose record is gone for good, in the background at a bounded rate. They are invisible already,
 * but would stay for ever.
 */
import { Effect } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import * as LocalParts from "../Machine/LocalParts.ts"

/** How many parts to check in one go, and how often: a million in a quarter of an hour. */
const partsMaxCount = 1_000
const intervalMs = 1_000

/** Checks all parts again and again until it is interrupted. */
export const collectParts = (node: {
  readonly member: Pick<Member["Service"], "node" | "tables">
  readonly local: Pick<LocalNode["Service"], "tables">
}): Effect.Effect<never> => {
  let from: LocalParts.PartPosition | undefined
  return Effect.sync(() => {
    // A state that is wrong may lack a record that is there, and nothing brings its part back.
    if (node.member.node()?.states.isSuspect() === true) return
    from = LocalParts.collect(node.local.tables, node.member.tables, { from, maxCount: partsMaxCount })
  }).pipe(Effect.delay(intervalMs), Effect.forever)
}
