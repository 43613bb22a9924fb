/** `lithair backup`: an archive of a running cluster, taken from any node while writes go on. */
import { basename, dirname, resolve } from "node:path"
import { Effect, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { loadArchive } from "../Backup/ReadArchive.ts"
import { writeArchive } from "../EventStore/ArchiveFile.ts"
import { isFile } from "../EventStore/Files.ts"
import { backupPath } from "../Http/BackupRoutes.ts"
import { credentials, get, nodes, reasonOf } from "./Connect.ts"
import { CommandFailed, refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"
import { count, json, print, progress, size } from "./Output.ts"

const isCount = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** The command. */
export const backup = Command.make(
  "backup",
  {
    nodes,
    out: Flag.String("out").pipe(
      Flag.withAlias("o"),
      Flag.withDescription("The file to write. It must not exist, unless --force is given")
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
    if (!force && (yield* refusing(isFile(out)))) {
      return yield* refused(`"${out}" exists: choose another file, or add --force`)
    }
    const response = yield* get(nodes, credentials, {
      path: backupPath,
      query: {
        ...(Option.isSome(after) ? { after: String(after.value) } : {}),
        ...(local ? { consistency: "local" } : {})
      }
    })
    const bytes = Stream.mapError(
      response.stream,
      (failed) => new CommandFailed({ message: `The archive was cut: ${reasonOf(failed)}`, exit: "unreachable" })
    )
    const shown = progress()
    const written = yield* writeArchive({
      directory: dirname(resolve(out)),
      name: basename(out),
      bytes,
      // A node that fails meanwhile ends the answer early, and not every connection tells.
      isWhole: (path) => Effect.asVoid(loadArchive(path, { isStateBuilt: false })),
      onProgress: (bytes) => shown.show(`${size(bytes)} received`)
    }).pipe(
      Effect.catchTag("ArchiveDamaged", ({ message }) =>
        Effect.fail(
          new CommandFailed({ message: `The archive came damaged or was cut: ${message}`, exit: "unreachable" })
        )
      ),
      Effect.catchTags({
        LogFailed: ({ message }) => Effect.fail(refused(message)),
        BackupRefused: ({ message }) => Effect.fail(refused(message))
      }),
      Effect.ensuring(shown.end)
    )
    const { digest, entriesCount, manifest } = yield* refusing(loadArchive(out, { isStateBuilt: false }))
    const { clusterId, last, stateHash } = manifest
    const result = {
      file: out,
      bytes: written,
      digest,
      clusterId,
      index: last.index,
      term: last.term,
      stateHash,
      entries: entriesCount
    }
    const text = `Wrote ${out}: ${size(written)}, the state at index ${count(last.index)}, hash ${stateHash}`
    yield* print(json, result, text)
  })
).pipe(
  Command.withDescription("Take an archive of a running cluster, from any node, while writes go on"),
  Command.withExamples([
    { command: "lithair backup http://10.0.0.1:8081 --out shop.lithair", description: "The newest state" },
    { command: "lithair backup http://10.0.0.1:8081 --after 0 --out shop.lithair", description: "With all entries" }
  ])
)
