/** The scheduled backups of a node, as its operators see them. Every.ts runs them. */
import { Context, Effect, Layer, type Scope } from "effect"

/** How a scheduled backup stands on this node. */
export interface BackupStatus {
  /** The store, without secrets. */
  readonly place: string
  /** Whether this node ships now: only the leader does. All that follows is known there alone. */
  readonly isShipping: boolean
  /** The newest state that is whole in the store, and the moment of it. */
  readonly snapshot: { readonly index: number; readonly timeMs: number } | undefined
  /** The last entry in the store; a restore can go back to any from the state on. */
  readonly index: number
  /** How many applied entries are not in the store yet. */
  readonly lagCount: number
  /** Why it failed last, until it succeeds. */
  readonly failure: string | undefined
}

/** The scheduled backups of this node. */
export class Backups extends Context.Service<
  Backups,
  {
    readonly status: () => ReadonlyArray<BackupStatus>
    /** Shows a backup until the scope closes. */
    readonly register: (status: () => BackupStatus) => Effect.Effect<void, never, Scope.Scope>
  }
>()("lithair/Backup/Backups") {}

/** None until they register. */
export const layer: Layer.Layer<Backups> = Layer.sync(Backups, () => {
  const registered = new Set<() => BackupStatus>()
  return Backups.of({
    status: () => [...registered].map((status) => status()),
    register: (status) =>
      Effect.acquireRelease(
        Effect.sync(() => void registered.add(status)),
        () => Effect.sync(() => registered.delete(status))
      )
  })
})
