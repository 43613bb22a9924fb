/**
 * Makes new versions of node-local models active in the node's own log. No other node must have them: Cluster/Activation.ts
 * does it for the cluster. docs/evolution.md.
 */
import { Effect, Schedule, type Scope } from "effect"
import type { Command } from "../Machine/Command.ts"
import { pendingOf } from "../Machine/ModelCheck.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"

/** How long it waits before it tries again, if the disk has no room. */
const activateAgainMs = 1_000

/** Submits each new version in the background, until it is active. */
export const activateModels = (
  node: { readonly tables: Tables; readonly submit: (command: Command) => Effect.Effect<unknown, unknown> },
  models: ReadonlyArray<Descriptor>
): Effect.Effect<void, never, Scope.Scope> => {
  const localModels = models.filter(({ mode }) => mode === "local")
  return Effect.forEach(
    pendingOf(node.tables, localModels),
    ({ name: model, version }) =>
      node
        .submit({ _tag: "Activate", model, version, checkedIndex: node.tables.index })
        .pipe(Effect.retry(Schedule.spaced(activateAgainMs)), Effect.ignore, Effect.forkScoped),
    { discard: true }
  )
}
