/**
 * The note that a node's log has lost entries to damage: a file that is there from before the first change of the log
 * until peers have given the entries back. While it is there, the node answers for nothing that its log does not hold
 * (Raft/core/Repair.ts). Its presence says that; its content is for people. C26.
 */
import { Effect } from "effect"
import { isFile, syncDirectory, unlinkFile, writeFileAtomically } from "./Files.ts"
import type { LogCorrupt, LogFailed } from "./LogStore.ts"

/** The name of the file, in a data directory. */
export const REPAIR_FILE = "repairing.json"

const pathIn = (directory: string) => `${directory}/${REPAIR_FILE}`

/** Whether the log of a data directory needs repair. */
export const isMarked = (directory: string): Effect.Effect<boolean, LogFailed> => isFile(pathIn(directory))

/** Notes that the log needs repair, durably when it returns. A note that is there stays. */
export const mark = (directory: string, { file, index, message, offset }: LogCorrupt): Effect.Effect<void, LogFailed> =>
  Effect.flatMap(isMarked(directory), (isThere) =>
    // A note of a former life may not be durable under its name.
    isThere
      ? syncDirectory(directory)
      : writeFileAtomically({
          directory,
          name: REPAIR_FILE,
          parts: [new TextEncoder().encode(`${JSON.stringify({ file, offset, index, message }, undefined, 2)}\n`)]
        })
  )

/** The log needs repair no more. The log must be durable before this. */
export const unmark = (directory: string): Effect.Effect<void, LogFailed> =>
  Effect.flatMap(isMarked(directory), (isThere) =>
    isThere ? Effect.andThen(unlinkFile(pathIn(directory)), syncDirectory(directory)) : Effect.void
  )
