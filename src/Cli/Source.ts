/** Data that no node serves: an archive, the directory of a stopped node, or a store of scheduled backups. */
import { Effect, Option, Result } from "effect"
import { Argument, Flag } from "effect/cli"
import type { HttpClient } from "effect/http"
import type { ObjectStore } from "../Backup/ObjectStore.ts"
import { type Archive, fileArchive } from "../Backup/ReadArchive.ts"
import type { Point } from "../Backup/Replay.ts"
import type { RestoreSource } from "../Backup/Restore.ts"
import { shippedOf, storedArchive } from "../Backup/Ship.ts"
import { type Chain, chainTo, lastOf, longestTo, type Shipped } from "../Backup/Shipped.ts"
import { isBucketUrl, openStore } from "../Backup/StoreUrl.ts"
import { FILE } from "../EventStore/Directory.ts"
import { codeOf, listDirectory } from "../EventStore/Files.ts"
import { type CommandFailed, refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"

/** The argument that names it. */
export const source = Argument.String("source").pipe(
  Argument.withDescription(
    "An archive, the data directory of a stopped node, or a store of backups: a directory or s3://bucket/prefix"
  )
)

/** The flag that chooses among the clusters of a store. */
export const cluster = Flag.String("cluster").pipe(
  Flag.withDescription("The id of the cluster, in a store with backups of several"),
  Flag.optional
)

/** The backups of one cluster in a store. */
export interface StoreSource {
  readonly _tag: "Store"
  readonly store: ObjectStore["Service"]
  readonly clusterId: string
  readonly all: ReadonlyArray<Shipped>
}

/** What a text names. */
export type Source =
  | { readonly _tag: "Archive"; readonly path: string }
  | { readonly _tag: "Directory"; readonly path: string }
  | StoreSource

const storeAt = Effect.fnUntraced(function* (
  text: string,
  cluster: Option.Option<string>
): Effect.fn.Return<StoreSource, CommandFailed, HttpClient.HttpClient> {
  const store = yield* refusing(openStore(text))
  const found: Array<StoreSource> = []
  for (const clusterId of yield* refusing(store.folders)) {
    if (Option.isSome(cluster) && cluster.value !== clusterId) continue
    const all = yield* refusing(shippedOf(store, clusterId))
    if (all.length > 0) found.push({ _tag: "Store", store, clusterId, all })
  }
  const [only] = found
  if (only === undefined) {
    const of = Option.isSome(cluster) ? ` of cluster ${cluster.value}` : ""
    return yield* refused(`"${text}" is no data directory and holds no backup${of}`)
  }
  if (found.length === 1) return only
  const ids = found.map(({ all, clusterId }) => `  ${clusterId}, to ${new Date(lastOf(all).timeMs).toISOString()}`)
  return yield* refused(`"${text}" holds backups of several clusters: choose one with --cluster\n${ids.join("\n")}`)
})

/** Finds out what a text names. It fails if there is nothing. */
export const sourceAt = Effect.fnUntraced(function* (
  text: string,
  cluster: Option.Option<string> = Option.none()
): Effect.fn.Return<Source, CommandFailed, HttpClient.HttpClient> {
  if (isBucketUrl(text)) return yield* storeAt(text, cluster)
  const names = yield* listDirectory(text).pipe(
    Effect.catchTag("LogFailed", (failure) => {
      switch (codeOf(failure)) {
        case "ENOTDIR":
          return Effect.succeed(undefined)
        case "ENOENT":
          return Effect.fail(refused(`There is nothing at "${text}"`))
        default:
          return Effect.fail(refused(failure.message))
      }
    })
  )
  if (names === undefined) return { _tag: "Archive", path: text }
  return names.includes(FILE) ? { _tag: "Directory", path: text } : yield* storeAt(text, cluster)
})

/** The archives of a chain, in order. */
export const archivesOf = ({ clusterId, store }: StoreSource, { entries, snapshot }: Chain): ReadonlyArray<Archive> =>
  [snapshot, ...entries].map((shipped) => storedArchive(store, clusterId, shipped))

/**
 * What leads to a point, by default to the newest: the archive, or those of a store. Of a store it is all that leads
 * there, for the history of records, or with `isStateOnly` the shortest way.
 */
export const restorable = (
  found: Exclude<Source, { readonly _tag: "Directory" }>,
  point: Point | undefined,
  { isStateOnly = false }: { readonly isStateOnly?: boolean } = {}
): Effect.Effect<RestoreSource, CommandFailed> => {
  if (found._tag === "Archive") return Effect.succeed({ archives: [fileArchive(found.path)], isStateOnly })
  const chain = isStateOnly ? chainTo(found.all, point) : longestTo(found.all, point)
  if (Result.isFailure(chain)) {
    return Effect.fail(refused(`Cannot restore from ${found.store.place}: ${chain.failure}`))
  }
  const last = lastOf(found.all)
  const newest = point === undefined ? undefined : Result.getOrUndefined(chainTo(found.all, undefined))
  return Effect.succeed({
    archives: archivesOf(found, chain.success),
    last,
    isStateOnly,
    ...(newest === undefined ? {} : { newest: archivesOf(found, newest) })
  })
}
