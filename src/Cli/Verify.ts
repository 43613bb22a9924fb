/** `lithair verify`: finds every flipped byte and every cut, in an archive or in the directory of a stopped node. */
import { Effect, Option, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { type KeptDigest, parseDigest } from "../Backup/CheckEvidence.ts"
import { loadArchive, loadArchives } from "../Backup/ReadArchive.ts"
import { loadDirectory, openDirectory } from "../Backup/ReadDirectory.ts"
import { storedArchive } from "../Backup/Ship.ts"
import { goingOnTo, snapshotsOf } from "../Backup/Shipped.ts"
import { verifyLog } from "../Backup/VerifyLog.ts"
import { stateHash } from "../Machine/Tables.ts"
import { CommandFailed, refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"
import { count, json, print, size } from "./Output.ts"
import { archivesOf, cluster, type StoreSource, source, sourceAt } from "./Source.ts"

const verifyArchive = Effect.fnUntraced(function* (path: string, isQuick: boolean, kept: KeptDigest | undefined) {
  const { digest, entriesCount, fileBytes, isHashCompared, manifest } = yield* refusing(
    loadArchive(path, { isStateBuilt: !isQuick, kept })
  )
  const hash = isHashCompared ? manifest.stateHash : null
  const proven = isHashCompared ? `state hash ${manifest.stateHash}` : "the state was not built"
  return {
    result: { kind: "archive", intact: true, bytes: fileBytes, digest, index: manifest.last.index, stateHash: hash },
    text: `${path} is intact: ${size(fileBytes)}, ${count(entriesCount)} entries, index ${count(manifest.last.index)}, ${proven}`
  }
})

const verifyDirectory = Effect.fnUntraced(function* (path: string, kept: KeptDigest | undefined) {
  const opened = yield* refusing(openDirectory(path))
  const damaged = opened.snapshots.find(({ damage }) => damage !== undefined)
  if (damaged !== undefined) return yield* refused(`Snapshot "${damaged.name}" is damaged: ${damaged.damage}`)
  const { lastIndex, log } = opened
  const state = yield* refusing(loadDirectory(opened))
  const hash = stateHash(state.tables)
  const { checked, entriesCount, historyFilesCount } = yield* refusing(verifyLog(opened, state.tables, kept))
  const proven =
    checked === undefined
      ? ""
      : `, digests of entries ${count(checked.fromIndex)} to ${count(checked.index)}: ${checked.index}:${checked.digest}`
  const { torn } = log
  const tail =
    torn === undefined ? "" : `. "${torn.file}" has a torn tail at offset ${torn.offset}, which a start cuts off`
  return {
    result: {
      kind: "directory",
      intact: true,
      segments: log.segmentsCount,
      snapshots: opened.snapshots.length,
      historyFiles: historyFilesCount,
      entries: entriesCount,
      evidence: checked ?? null,
      index: lastIndex,
      stateHash: hash,
      torn: torn ?? null
    },
    text: `${path} is intact: ${count(log.segmentsCount)} segments and ${opened.snapshots.length} snapshots, index ${count(lastIndex)}, state hash ${hash}${proven}${tail}`
  }
}, Effect.scoped)

/** Each state, and the entries that lead from it to the next one; at last the objects that no restore would read. */
const verifyStore = Effect.fnUntraced(function* (found: StoreSource, isQuick: boolean, kept: KeptDigest | undefined) {
  const { all, clusterId, store } = found
  const rest = new Set(all)
  const gaps: Array<{ readonly afterIndex: number; readonly index: number }> = []
  let newer: { readonly index: number } | undefined
  let newest: { readonly index: number; readonly stateHash: string | null } | undefined
  let bytes = 0
  for (const snapshot of snapshotsOf(all)) {
    const chain = goingOnTo(snapshot, all, newer === undefined ? undefined : { _tag: "Index", index: newer.index })
    const loaded = yield* refusing(
      loadArchives(archivesOf(found, chain), {
        isStateBuilt: !isQuick,
        // The newest chain of archives must reach it.
        kept: newer === undefined ? kept : undefined
      })
    )
    for (const each of [snapshot, ...chain.entries]) rest.delete(each)
    bytes += loaded.fileBytes
    newest ??= { index: chain.index, stateHash: loaded.isHashCompared ? loaded.manifest.stateHash : null }
    if (newer !== undefined && chain.index < newer.index) gaps.push({ afterIndex: chain.index, index: newer.index })
    newer = snapshot
  }
  for (const each of rest) yield* refusing(Stream.runDrain(storedArchive(store, clusterId, each).pieces))
  const states = all.filter(({ _tag }) => _tag === "Snapshot").length
  const gapsText = gaps.map(
    ({ afterIndex, index }) => `\nNo restore reaches what came after ${count(afterIndex)} and before ${count(index)}`
  )
  return {
    result: {
      kind: "store",
      intact: true,
      clusterId,
      states,
      objects: all.length,
      bytes,
      gaps,
      index: newest?.index ?? null,
      stateHash: newest?.stateHash ?? null
    },
    text: `${store.place} is intact: ${states} states in ${all.length} objects, ${size(bytes)}, to index ${count(newest?.index ?? 0)}${gapsText.join("")}`
  }
})

/** The command. */
export const verify = Command.make(
  "verify",
  {
    source,
    cluster,
    quick: Flag.Boolean("quick").pipe(
      Flag.withDescription("Check the bytes of archives alone, and build no state"),
      Flag.optional
    ),
    digest: Flag.String("digest").pipe(
      Flag.withDescription("A digest that was kept outside, as `lithair digest` printed it: INDEX:SHA256"),
      Flag.optional
    ),
    json
  },
  Effect.fnUntraced(function* ({ cluster, digest, json, quick, source }) {
    const isQuick = Option.getOrElse(quick, () => false)
    const kept = Option.isNone(digest) ? undefined : parseDigest(digest.value)
    if (Option.isSome(digest) && (kept === undefined || isQuick)) {
      const message = isQuick
        ? "--digest needs the state: leave --quick out"
        : `--digest: "${digest.value}" is not INDEX:SHA256`
      return yield* new CommandFailed({ message, exit: "usage" })
    }
    const found = yield* sourceAt(source, cluster)
    const { result, text } =
      found._tag === "Store"
        ? yield* verifyStore(found, isQuick, kept)
        : found._tag === "Directory"
          ? yield* verifyDirectory(found.path, kept)
          : yield* verifyArchive(found.path, isQuick, kept)
    yield* print(json, result, text)
  })
).pipe(Command.withDescription("Check every byte of an archive, a store, or the directory of a stopped node"))
