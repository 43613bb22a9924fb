/** `lithair verify`: finds every flipped byte and every cut, in an archive or in the directory of a stopped node. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { loadArchive } from "../Backup/ReadArchive.ts"
import { loadDirectory, openDirectory } from "../Backup/ReadDirectory.ts"
import { stateHash } from "../Machine/Tables.ts"
import { refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"
import { count, json, print, size } from "./Output.ts"
import { isDirectory, source } from "./Source.ts"

const verifyArchive = Effect.fnUntraced(function* (path: string, isQuick: boolean) {
  const { digest, entriesCount, fileBytes, isHashCompared, manifest } = yield* refusing(
    loadArchive(path, { isStateBuilt: !isQuick })
  )
  const hash = isHashCompared ? manifest.stateHash : null
  const proven = isHashCompared ? `state hash ${manifest.stateHash}` : "the state was not built"
  return {
    result: { kind: "archive", intact: true, bytes: fileBytes, digest, index: manifest.last.index, stateHash: hash },
    text: `${path} is intact: ${size(fileBytes)}, ${count(entriesCount)} entries, index ${count(manifest.last.index)}, ${proven}`
  }
})

const verifyDirectory = Effect.fnUntraced(function* (path: string) {
  const opened = yield* refusing(openDirectory(path))
  const damaged = opened.snapshots.find(({ damage }) => damage !== undefined)
  if (damaged !== undefined) return yield* refused(`Snapshot "${damaged.name}" is damaged: ${damaged.damage}`)
  const { lastIndex, log } = opened
  const state = yield* refusing(loadDirectory(opened))
  const hash = stateHash(state.tables)
  const { torn } = log
  const tail =
    torn === undefined ? "" : `. "${torn.file}" has a torn tail at offset ${torn.offset}, which a start cuts off`
  return {
    result: {
      kind: "directory",
      intact: true,
      segments: log.segmentsCount,
      snapshots: opened.snapshots.length,
      index: lastIndex,
      stateHash: hash,
      torn: torn ?? null
    },
    text: `${path} is intact: ${count(log.segmentsCount)} segments and ${opened.snapshots.length} snapshots, index ${count(lastIndex)}, state hash ${hash}${tail}`
  }
}, Effect.scoped)

/** The command. */
export const verify = Command.make(
  "verify",
  {
    source,
    quick: Flag.Boolean("quick").pipe(
      Flag.withDescription("Check an archive's bytes alone, and build no state"),
      Flag.optional
    ),
    json
  },
  Effect.fnUntraced(function* ({ json, quick, source }) {
    const { result, text } = (yield* refusing(isDirectory(source)))
      ? yield* verifyDirectory(source)
      : yield* verifyArchive(
          source,
          Option.getOrElse(quick, () => false)
        )
    yield* print(json, result, text)
  })
).pipe(Command.withDescription("Check every byte of an archive, or of the directory of a stopped node"))
