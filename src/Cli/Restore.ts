/** `lithair restore`: a new cluster of one from an archive, into an empty directory. */
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { readErasures } from "../Backup/ApplyErasures.ts"
import type { Point } from "../Backup/Replay.ts"
import { type NewCluster, restore as restoreArchive } from "../Backup/Restore.ts"
import { readWholeFile } from "../EventStore/Files.ts"
import { parseAddress, parseId } from "../Raft/peers/Address.ts"
import { confirm, yes } from "./Confirm.ts"
import { CommandFailed, refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"
import { count, facts, json, print } from "./Output.ts"
import { cluster, restorable, sourceAt } from "./Source.ts"

const usage = (message: string) => new CommandFailed({ message, exit: "usage" })

/** The address of the new node. */
export const address = Flag.String("address").pipe(
  Flag.withDescription("The address, host:port, at which the node will run")
)

/** Checks an address, and an id if there is one. */
export const checkPlace = Effect.fnUntraced(function* (address: string, id?: string) {
  const parsed = parseAddress(address)
  if (Result.isFailure(parsed)) return yield* usage(`--address: ${parsed.failure}`)
  const named = id === undefined ? undefined : parseId(id)
  if (named !== undefined && Result.isFailure(named)) return yield* usage(`--id: ${named.failure}`)
})

/** Reads `--at`: an index, or a time with its zone. */
export const pointOf = (text: string): Result.Result<Point, CommandFailed> => {
  if (/^\d{1,16}$/.test(text)) return Result.succeed({ _tag: "Index", index: Number(text) })
  const timeMs = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(timeMs)
    ? Result.fail(usage(`--at: "${text}" is neither an index nor a time such as 2026-11-30T12:00:00Z`))
    : Result.succeed({ _tag: "Time", timeMs })
}

const historyOf = ({ historySince, isHistoryWhole }: NewCluster): string => {
  if (isHistoryWhole) return "whole"
  const begins = "begins with each record as it is"
  if (historySince === undefined) return begins
  const { index, timeMs } = historySince
  return `${begins}; that of records is there from index ${count(index)}, ${new Date(timeMs).toISOString()}`
}

/** What a new cluster is, for people. */
export const shown = (made: NewCluster, directory: string): string =>
  `${facts([
    ["cluster", `${made.clusterId}, in the place of ${made.formerClusterId}`],
    ["node", `${made.nodeId} in ${directory}`],
    ["state", `of index ${count(made.index)}, ${new Date(made.timeMs).toISOString()}, hash ${made.stateHash}`],
    ["base", `${count(made.base)}: indexes and versions go on above it`],
    ...(made.erased.length === 0 ? [] : [["erased", `${count(made.erased.length)} records`] as const]),
    ["history", historyOf(made)]
  ])}\n\nStart the node on this directory. Others join it, each with an empty directory and --join.`

/** The erasures in a file. */
const erasuresIn = Effect.fnUntraced(function* (path: string) {
  const bytes = yield* refusing(readWholeFile(path))
  const read = readErasures(new TextDecoder().decode(bytes))
  return Result.isFailure(read) ? yield* usage(`--erasures: "${path}": ${read.failure}`) : read.success
})

/** The command. */
export const restore = Command.make(
  "restore",
  {
    archive: Argument.String("archive").pipe(
      Argument.withDescription("The archive, or a store of backups: a directory or s3://bucket/prefix")
    ),
    cluster,
    directory: Flag.String("directory").pipe(
      Flag.withDescription("The data directory to make. It must be empty, or not be there")
    ),
    address,
    id: Flag.String("id").pipe(Flag.withDescription("The node's id; its address by default"), Flag.optional),
    at: Flag.String("at").pipe(
      Flag.withDescription(
        "The index or the time (2026-11-30T12:00:00Z) to go back to, in a store or an archive with entries"
      ),
      Flag.optional
    ),
    erasures: Flag.String("erasures").pipe(
      Flag.withDescription(
        "A file with the answer of GET /_admin/api/erasures: what was erased after the archive is erased from it too"
      ),
      Flag.optional
    ),
    history: Flag.Boolean("history").pipe(
      Flag.withDescription(
        "Take all that the archives hold, for the history of records; --no-history takes the shortest way to the state"
      ),
      Flag.withDefault(true)
    ),
    yes,
    json
  },
  Effect.fnUntraced(function* ({ address, archive, at, cluster, directory, erasures: file, history, id, json, yes }) {
    yield* checkPlace(address, Option.getOrUndefined(id))
    const point = Option.isNone(at) ? undefined : yield* Effect.fromResult(pointOf(at.value))
    const found = yield* sourceAt(archive, cluster)
    if (found._tag === "Directory") {
      return yield* refused(`"${archive}" is the data directory of a node: start the node, or take "lithair recover"`)
    }
    const erasures = Option.isNone(file) ? [] : yield* erasuresIn(file.value)
    const source = yield* restorable(found, point, { isStateOnly: !history })
    yield* confirm(
      yes,
      `This makes a new cluster of one in "${directory}" from "${archive}". Nodes of the former cluster that meet it stop. Until they meet it, nothing keeps them from taking writes that the new cluster never sees.`
    )
    const nodeId = Option.getOrUndefined(id)
    const options = { source, directory, address, point, erasures, ...(nodeId === undefined ? {} : { nodeId }) }
    const made = yield* refusing(restoreArchive(options))
    yield* print(json, made, shown(made, directory))
  })
).pipe(
  Command.withDescription("Make a new cluster of one from an archive"),
  Command.withExamples([
    {
      command: "lithair restore shop.lithair --directory /var/lib/shop --address 10.0.0.1:8081",
      description: "The state of the archive"
    },
    {
      command:
        "lithair restore s3://backups/shop --at 2026-11-30T12:00:00Z --directory /var/lib/shop --address 10.0.0.1:8081",
      description: "The state of a moment, from scheduled backups"
    }
  ])
)
