/**
 * Brings a node's own log to what its release knows, as Cluster/Activation.ts does for the cluster's: the format, records
 * of local models and local parts in the active version, and the end of local models. No other node must agree. The format
 * follows the cluster's, so that this node may go back to a former release for as long as the cluster may.
 * docs/evolution.md.
 */
import { Effect } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import { liftParts } from "../Local/liftParts.ts"
import { liftRecords } from "../Local/liftRecords.ts"
import { initial, isFormatActive, lifting } from "../Machine/Format.ts"
import type { Descriptor } from "../Model/Descriptor.ts"

/** How often it looks at the cluster's format. */
const lookEveryMs = 1_000

/** Upgrades the node's own log until it is interrupted. */
export const upgradeLocal = (node: {
  readonly member: Pick<Member["Service"], "tables">
  readonly local: Pick<LocalNode["Service"], "tables" | "submit" | "setLocalParts">
  readonly models: ReadonlyArray<Descriptor>
  /** The names of models that have ended. */
  readonly dropped: ReadonlyArray<string>
}): Effect.Effect<never> => {
  const { dropped, local, member } = node
  /** A log without a record stays as it is: there is nothing to lift. */
  const isHeld = (name: string): boolean => (local.tables.byModel.get(name)?.modelVersion ?? 0) > 0
  const models = node.models.filter(({ mode }) => mode === "local")
  const mixed = node.models.filter(({ mode, version }) => mode === "mixed" && version > 1)
  const hasParts = ({ name }: Descriptor): boolean => (local.tables.byModel.get(name)?.localParts.size ?? 0) > 0
  const isNeeded = (): boolean => [...models.map(({ name }) => name), ...dropped].some(isHeld) || mixed.some(hasParts)

  const look = Effect.gen(function* () {
    const { format } = member.tables
    if (format > initial && !isFormatActive(local.tables, format) && isNeeded()) {
      yield* local.submit({ _tag: "RaiseFormat", format })
    }
    if (!isFormatActive(local.tables, lifting)) return
    for (const model of dropped) {
      if (isHeld(model) && local.tables.byModel.get(model)?.isEnded === false) {
        yield* local.submit({ _tag: "End", model })
      }
    }
    // The disk may have no room now: it tries again.
  }).pipe(Effect.ignore, Effect.delay(lookEveryMs), Effect.forever)
  const lift = liftRecords({
    models,
    dropped,
    tables: () => local.tables,
    mayDecide: () => true,
    submit: local.submit
  })
  const parts = liftParts({
    models: mixed,
    tables: () => local.tables,
    isActive: ({ name, version }) => member.tables.byModel.get(name)?.modelVersion === version,
    submit: local.setLocalParts
  })
  return Effect.raceAllFirst([look, lift, parts])
}
