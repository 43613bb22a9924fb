/**
 * How full the disk of a data directory is, for operators. It decides nothing, and reads no file: NextSegment.ts tells
 * whether there is room for the log.
 */
import { readdir, stat, statfs } from "node:fs/promises"
import { Clock, Effect } from "effect"

/** The bytes that a process may still write to the disk, and those in the files of the directory. */
export interface DiskUsage {
  readonly freeBytes: number
  readonly usedBytes: number
}

/** The files are counted anew after so long. The threads that look at them are those that write the log. */
const countAgainMs = 60_000

/** Files come and go meanwhile. */
const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    (found) => (found.isFile() ? found.size : 0),
    () => 0
  )

/** One file after another, so that the log gets a thread whenever it needs one. */
const bytesIn = async (directory: string): Promise<number> => {
  const names = await readdir(directory, { recursive: true }).catch(() => [])
  let bytes = 0
  for (const name of names) bytes += await sizeOf(`${directory}/${name}`)
  return bytes
}

/** Makes an effect that tells the usage; undefined if the disk does not say. */
export const usageOf = (directory: string): Effect.Effect<DiskUsage | undefined> => {
  let counted: { readonly atMs: number; readonly bytes: Promise<number> } | undefined
  return Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (counted === undefined || Math.abs(nowMs - counted.atMs) >= countAgainMs) {
      counted = { atMs: nowMs, bytes: bytesIn(directory) }
    }
    const { bytes } = counted
    return yield* Effect.promise(async () => {
      const [{ bavail, bsize }, usedBytes] = await Promise.all([statfs(directory), bytes])
      return { freeBytes: bavail * bsize, usedBytes }
    })
  }).pipe(Effect.catchDefect(() => Effect.succeed(undefined)))
}
