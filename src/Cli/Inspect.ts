/** `lithair inspect`: what an archive or the directory of a stopped node holds, without the models. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { loadArchive } from "../Backup/ReadArchive.ts"
import { loadDirectory, openDirectory } from "../Backup/ReadDirectory.ts"
import { chainsOf } from "../Backup/Shipped.ts"
import { stateHash, type Tables } from "../Machine/Tables.ts"
import { refusing } from "./Failures.ts"
import { count, facts, json, print, size, table } from "./Output.ts"
import { cluster, type StoreSource, source, sourceAt } from "./Source.ts"

/** The models of a state that has records or had some. */
const modelsOf = ({ byModel }: Tables) =>
  Array.from(byModel, ([name, { modelVersion, rows }]) => ({ name, version: modelVersion, records: rows.size })).filter(
    ({ version }) => version > 0
  )

const modelsTable = (models: ReturnType<typeof modelsOf>): string =>
  table(
    ["model", "version", "records"],
    models.map(({ name, records, version }) => [name, version, records])
  )

const time = (ms: number): string => new Date(ms).toISOString()

const inspectArchive = Effect.fnUntraced(function* (path: string) {
  const { digest, entriesCount, fileBytes, manifest } = yield* refusing(loadArchive(path, { isStateBuilt: false }))
  const { clusterId, last, models, nodeId, previous, snapshot, stateHash, takenAtMs } = manifest
  const from = snapshot ?? previous
  const text = facts([
    ["archive", `${path}, ${size(fileBytes)}, intact`],
    ["cluster", clusterId],
    ["taken", `${time(takenAtMs)} from ${nodeId}`],
    ["state", `index ${count(last.index)}, term ${last.term}, ${time(last.timeMs)}`],
    ["hash", stateHash],
    ["entries", entriesCount === 0 ? "none" : `${count(from.index + 1)} to ${count(last.index)}`],
    ["SHA-256", digest]
  ])
  return {
    result: { kind: "archive", bytes: fileBytes, digest, entries: entriesCount, ...manifest },
    text: `${text}\n\n${modelsTable([...models])}`
  }
})

const inspectDirectory = Effect.fnUntraced(function* (path: string) {
  const opened = yield* refusing(openDirectory(path))
  const { clusterId, lastIndex, lastTerm, log, nodeId, snapshots } = opened
  const { tables } = yield* refusing(loadDirectory(opened))
  const hash = stateHash(tables)
  const models = modelsOf(tables)
  const text = facts([
    ["directory", `${path} of ${nodeId}`],
    ["cluster", clusterId],
    ["log", `entries ${count(log.held.firstIndex)} to ${count(lastIndex)}, term ${lastTerm}`],
    ["vote", `term ${log.held.hardState.currentTerm}, for ${log.held.hardState.votedFor ?? "nobody"}`],
    [
      "snapshots",
      snapshots.map(({ damage, name }) => `${name}${damage === undefined ? "" : " (damaged)"}`).join(", ") || "none"
    ],
    ["state", `index ${count(lastIndex)}, ${time(tables.lastTimeMs)}, if all entries are committed`],
    ["hash", hash]
  ])
  return {
    result: {
      kind: "directory",
      nodeId,
      clusterId,
      firstIndex: log.held.firstIndex,
      lastIndex,
      lastTerm,
      snapshots: snapshots.map(({ damage, info, name }) => ({
        name,
        index: info?.index ?? null,
        intact: damage === undefined
      })),
      stateHash: hash,
      models
    },
    text: `${text}\n\n${modelsTable(models)}`
  }
}, Effect.scoped)

/** From which states a restore can start, and how far the entries go on from each: by the names alone. */
const inspectStore = ({ all, clusterId, store }: StoreSource) => {
  const states = Array.from(chainsOf(all), ({ index, snapshot, timeMs }) => ({
    index: snapshot.index,
    timeMs: snapshot.timeMs,
    lastIndex: index,
    lastTimeMs: timeMs
  }))
  const rows = states.map((each) => [each.index, time(each.timeMs), each.lastIndex, time(each.lastTimeMs)])
  return {
    result: {
      kind: "store",
      place: store.place,
      clusterId,
      states
    },
    text: `${facts([
      ["store", store.place],
      ["cluster", clusterId]
    ])}\n\n${table(["state", "of", "restores to", "of"], rows)}`
  }
}

/** The command. */
export const inspect = Command.make(
  "inspect",
  { source, cluster, json },
  Effect.fnUntraced(function* ({ cluster, json, source }) {
    const found = yield* sourceAt(source, cluster)
    const { result, text } =
      found._tag === "Store"
        ? inspectStore(found)
        : found._tag === "Directory"
          ? yield* inspectDirectory(found.path)
          : yield* inspectArchive(found.path)
    yield* print(json, result, text)
  })
).pipe(Command.withDescription("Say what an archive, a store or the directory of a stopped node holds"))
