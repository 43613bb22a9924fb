/** `lithair backup`: an archive of a running cluster, taken from any node while writes go on. */
import { basename, dirname, resolve } from "node:path"
import { Effect, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { addArchive } from "../Backup/AddArchive.ts"
import { type Archive, fileArchive, loadArchive, loadArchives } from "../Backup/ReadArchive.ts"
import { isBucketUrl, openStore } from "../Backup/StoreUrl.ts"
import { writeArchive } from "../EventStore/ArchiveFile.ts"
import { FILE } from "../EventStore/Directory.ts"
import { isFile, listDirectory } from "../EventStore/Files.ts"
import { backupPath } from "../Http/BackupRoutes.ts"
import { type AnswerBytes, ask, credentials, nodes, reasonOf } from "./Connect.ts"
import { CommandFailed, refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"
import { count, json, print, progress, size } from "./Output.ts"

const isCount = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** Whether a backup is to go into a store: a bucket, or a directory. */
const isStoreAt = (out: string) =>
  isBucketUrl(out) || out.endsWith("/")
    ? Effect.succeed(true)
    : Effect.flatMap(
        Effect.orElseSucceed(listDirectory(out), () => undefined),
        (names) =>
          names?.includes(FILE) === true
            ? Effect.fail(refused(`"${out}" is the data directory of a node: choose another place`))
            : Effect.succeed(names !== undefined)
      )

interface Written {
  readonly place: string
  readonly archive: Archive
}

const cutOff = (message: string) =>
  new CommandFailed({ message: `The archive came damaged or was cut: ${message}`, exit: "unreachable" })

/** Writes a file, which has its name once all of it has come and was checked. */
const toFile = (out: string, bytes: AnswerBytes): Effect.Effect<Written, CommandFailed> =>
  writeArchive({
    directory: dirname(resolve(out)),
    name: basename(out),
    bytes,
    // A node that fails meanwhile ends the answer early, and not every connection tells.
    isWhole: (path) => Effect.asVoid(loadArchive(path, { isStateBuilt: false }))
  }).pipe(
    Effect.as({ place: out, archive: fileArchive(out) }),
    Effect.catchTags({
      ArchiveDamaged: ({ message }) => Effect.fail(cutOff(message)),
      LogFailed: ({ message }) => Effect.fail(refused(message)),
      StoreFailed: ({ message }) => Effect.fail(refused(message)),
      BackupRefused: ({ message }) => Effect.fail(refused(message))
    })
  )

/** Writes an object of a store, named by what the archive's manifest says, unless it is there. */
const toStore = Effect.fnUntraced(function* (out: string, bytes: AnswerBytes) {
  const store = yield* refusing(openStore(out.replace(/(?<=[^/])\/+$/, "")))
  const archive = yield* addArchive(store, bytes).pipe(
    Effect.catchTags({
      ArchiveDamaged: ({ message }) => Effect.fail(cutOff(message)),
      LogFailed: ({ message }) => Effect.fail(refused(message)),
      StoreFailed: ({ message }) => Effect.fail(refused(message)),
      BackupRefused: ({ message }) => Effect.fail(refused(message))
    })
  )
  return { place: `${store.place.replace(/\/$/, "")}/${archive.name}`, archive }
}, Effect.scoped)

/** The command. */
export const backup = Command.make(
  "backup",
  {
    nodes,
    out: Flag.String("out").pipe(
      Flag.withAlias("o"),
      Flag.withDescription(
        "The file to write, which must not exist unless --force is given; or a store: s3://bucket/prefix, or a directory"
      )
    ),
    after: Flag.Int("after").pipe(
      Flag.withDescription("Add the entries from this index on, for restores to a point in time (0: all of them)"),
      Flag.withSchema(isCount),
      Flag.optional
    ),
    local: Flag.Boolean("local").pipe(
      Flag.withDescription("Take what the node has, without asking a quorum whether that is the newest"),
      Flag.withDefault(false)
    ),
    force: Flag.Boolean("force").pipe(Flag.withDescription("Replace an existing file"), Flag.withDefault(false)),
    json,
    ...credentials
  },
  Effect.fnUntraced(function* ({ after, force, json, local, nodes, out, ...credentials }) {
    const isStore = yield* isStoreAt(out)
    if (isStore && Option.isSome(after)) {
      return yield* new CommandFailed({
        message: "--after is for a file: a store takes entries from Backup.every",
        exit: "usage"
      })
    }
    if (!isStore && !force && (yield* refusing(isFile(out)))) {
      return yield* refused(`"${out}" exists: choose another file, or add --force`)
    }
    const response = yield* ask(nodes, credentials, {
      method: "GET",
      path: backupPath,
      query: {
        ...(Option.isSome(after) ? { after: String(after.value) } : {}),
        ...(local ? { consistency: "local" } : {})
      }
    })
    const shown = progress()
    let receivedBytes = 0
    const bytes = response.stream.pipe(
      Stream.mapError(
        (failed) => new CommandFailed({ message: `The archive was cut: ${reasonOf(failed)}`, exit: "unreachable" })
      ),
      Stream.tap((part) =>
        Effect.sync(() => {
          receivedBytes += part.length
          shown.show(`${size(receivedBytes)} received`)
        })
      )
    )
    const written = isStore ? toStore(out, bytes) : toFile(out, bytes)
    const { archive, place } = yield* Effect.ensuring(written, shown.end)
    const { digest, entriesCount, fileBytes, manifest } = yield* refusing(
      loadArchives([archive], { isStateBuilt: false })
    )
    const { clusterId, last, stateHash } = manifest
    const result = {
      file: place,
      bytes: fileBytes,
      digest,
      clusterId,
      index: last.index,
      term: last.term,
      stateHash,
      entries: entriesCount
    }
    const text = `${place} holds ${size(fileBytes)}, the state at index ${count(last.index)}, hash ${stateHash}`
    yield* print(json, result, text)
  })
).pipe(
  Command.withDescription("Take an archive of a running cluster, from any node, while writes go on"),
  Command.withExamples([
    { command: "lithair backup http://10.0.0.1:8081 --out shop.lithair", description: "The newest state" },
    { command: "lithair backup http://10.0.0.1:8081 --after 0 --out shop.lithair", description: "With all entries" }
  ])
)
