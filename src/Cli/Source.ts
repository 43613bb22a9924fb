/** Data that no node serves: an archive, or the directory of a stopped node. */
import { Effect } from "effect"
import { Argument } from "effect/cli"
import { codeOf, listDirectory } from "../EventStore/Files.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import { type CommandFailed, refused } from "./Exit.ts"

/** The argument that names it. */
export const source = Argument.String("source").pipe(
  Argument.withDescription("An archive, or the data directory of a stopped node")
)

/** Whether a path is a directory. It fails if there is nothing. */
export const isDirectory = (path: string) =>
  Effect.as(listDirectory(path), true).pipe(
    Effect.catchTag("LogFailed", (failure): Effect.Effect<boolean, CommandFailed | LogFailed> => {
      switch (codeOf(failure)) {
        case "ENOTDIR":
          return Effect.succeed(false)
        case "ENOENT":
          return Effect.fail(refused(`There is nothing at "${path}"`))
        default:
          return Effect.fail(failure)
      }
    })
  )
