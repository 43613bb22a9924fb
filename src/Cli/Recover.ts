/** `lithair recover`: when a majority is lost for good, a new cluster of one from the directory that holds most. */
import { Effect, Exit, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { bestOf, recover as recoverDirectory, type Surveyed, survey } from "../Backup/Restore.ts"
import { confirm, yes } from "./Confirm.ts"
import { CommandFailed, refused } from "./Exit.ts"
import { refusing } from "./Failures.ts"
import { json, print, table } from "./Output.ts"
import { checkPlace, shown } from "./Restore.ts"

const usage = (message: string) => new CommandFailed({ message, exit: "usage" })

/** Looks at each directory, and names the one to recover from. */
const surveyAll = Effect.fnUntraced(function* (directories: ReadonlyArray<string>, isJson: boolean) {
  const found = yield* Effect.forEach(directories, (directory) =>
    Effect.map(Effect.exit(refusing(survey(directory))), (exit) =>
      Exit.isSuccess(exit) ? exit.value : { directory, problem: messageOf(exit) }
    )
  )
  const readable = found.filter((each): each is Surveyed => !("problem" in each))
  const best = bestOf(readable)
  const clusters = new Set(readable.map(({ clusterId }) => clusterId))
  const rows = found.map((each) =>
    "problem" in each
      ? [each.directory, "", "", each.problem]
      : [each.directory, each.nodeId, `${each.lastTerm}.${each.lastIndex}`, noteOf(each, best)]
  )
  const advice =
    best === undefined
      ? "No directory can be read."
      : clusters.size > 1
        ? "These directories are of different clusters: survey those of one."
        : `Recover from the one that holds most:\n  lithair recover ${best.directory} --address HOST:PORT --accept-loss-after ${best.lastTerm}.${best.lastIndex}`
  const text = `${table(["directory", "node", "last term.index", ""], rows)}\n\n${advice}`
  yield* print(isJson, { directories: found, best: clusters.size === 1 ? (best?.directory ?? null) : null }, text)
  if (best === undefined || clusters.size > 1) return yield* refused(advice)
})

const noteOf = (each: Surveyed, best: Surveyed | undefined): string => {
  const lost = each.isRepairing ? ["has lost entries to damage"] : []
  return [...(each === best ? ["holds most"] : []), ...lost].join(", ")
}

const messageOf = (exit: Exit.Exit<unknown, CommandFailed>): string =>
  Option.match(Exit.findErrorOption(exit), { onNone: () => "a defect", onSome: ({ message }) => message })

/** The command. */
export const recover = Command.make(
  "recover",
  {
    directories: Argument.String("directory").pipe(
      Argument.withDescription("The data directory to recover from; with --survey all of those that are left"),
      Argument.atLeast(1)
    ),
    survey: Flag.Boolean("survey").pipe(
      Flag.withDescription("Only say what each directory holds, and which one holds most"),
      Flag.withDefault(false)
    ),
    address: Flag.String("address").pipe(
      Flag.withDescription("The address, host:port, at which the node will run"),
      Flag.optional
    ),
    after: Flag.String("accept-loss-after").pipe(
      Flag.withDescription("TERM.INDEX of the directory's last entry, as the survey told"),
      Flag.optional
    ),
    yes,
    json
  },
  Effect.fnUntraced(function* ({ address, after, directories, json, survey, yes }) {
    if (survey) return yield* surveyAll(directories, json)
    const [directory] = directories
    if (directory === undefined || directories.length > 1)
      return yield* usage("recover takes one directory: add --survey to look at several")
    if (Option.isNone(address)) return yield* usage("--address is needed: where the node will run")
    const [, term, index] = /^(\d{1,16})\.(\d{1,16})$/.exec(Option.getOrElse(after, () => "")) ?? []
    if (term === undefined || index === undefined) {
      return yield* usage("--accept-loss-after TERM.INDEX is needed: --survey says what it is")
    }
    yield* checkPlace(address.value)
    yield* confirm(
      yes,
      [
        `This makes a new cluster of one in "${directory}", with its whole log counted as committed.`,
        `Entries after ${term}.${index} that other nodes may hold are lost, though they may have been acknowledged.`,
        "Operations that were told as not done, or as unknown, may be done now.",
        "The former data stays in the directory, under names that end in .before-INDEX.",
        "Nodes of the former cluster that meet the new one stop. Until they meet it, nothing keeps them from taking writes."
      ].join("\n")
    )
    const made = yield* refusing(
      recoverDirectory({
        directory,
        address: address.value,
        acceptLossAfter: { term: Number(term), index: Number(index) }
      })
    )
    yield* print(json, made, shown(made, directory))
  })
).pipe(Command.withDescription("Make a new cluster of one from a node's directory, when a majority is lost"))
