/**
 * Counts how often a node has started in its data directory. Each start is a life. A node names what it sends by its
 * life and a number in it, so no two lives share a name, whatever random numbers they draw. Directory.ts has the
 * node's identity.
 *
 * The count is the name of an empty file, `life.N`. A rename raises it and needs no room, so a node starts on a full disk.
 */
import { Effect } from "effect"
import { closeFile, openFile, renameFile, syncDirectory } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"

const pattern = /^life\.([1-9][0-9]{0,14})$/

const nameOf = (life: number): string => `life.${life}`

/**
 * Counts one more start in `directory`, which holds `names`, and returns the count. It is durable by then: otherwise a
 * crash of the machine could make the next start forget a life in which the node sent something.
 */
export const beginLife = (directory: string, names: ReadonlyArray<string>): Effect.Effect<number, LogFailed> =>
  Effect.gen(function* () {
    const former = Math.max(0, ...names.map((name) => Number(pattern.exec(name)?.[1] ?? 0)))
    const life = former + 1
    const path = `${directory}/${nameOf(life)}`
    if (former === 0) yield* Effect.flatMap(openFile(path, "w"), closeFile)
    else yield* renameFile(`${directory}/${nameOf(former)}`, path)
    yield* syncDirectory(directory)
    return life
  })
