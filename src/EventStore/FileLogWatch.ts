/** Says which file of a running log is lost: a segment without its name, or another file in place of the one in use. */
import { Effect, Result } from "effect"
import { identityAt, identityOf, isFile, isSame, listDirectory } from "./Files.ts"
import type { LogIndex } from "./LogIndex.ts"
import type { LogFailed } from "./LogStore.ts"
import { segmentName } from "./Segment.ts"
import type { SegmentFile } from "./SegmentFile.ts"
import { missingOfMany } from "./Watch.ts"

/** Looks once; undefined if nothing is lost. */
export const lostFile = (options: {
  readonly directory: string
  readonly held: LogIndex
  /** The segment that takes batches. */
  readonly active: () => SegmentFile
}): Effect.Effect<string | undefined, LogFailed> => {
  const { active, directory, held } = options
  const missingSegment = missingOfMany({
    needed: () => held.segments,
    nameOf: ({ number }) => segmentName(number),
    list: listDirectory(directory),
    isThere: (name) => isFile(`${directory}/${name}`)
  })
  return Effect.gen(function* () {
    const missing = yield* missingSegment
    if (missing !== undefined) return `"${directory}/${missing}" is missing`
    const segment = active()
    const path = `${directory}/${segmentName(segment.header.number)}`
    const [named, written] = yield* Effect.all([
      Effect.result(identityAt(path)),
      Effect.result(identityOf(segment.file))
    ])
    if (Result.isSuccess(named) && Result.isSuccess(written) && isSame(named.success, written.success)) return undefined
    // If the log has left this segment meanwhile, the next look checks the one after it.
    return segment === active() ? `"${path}" is missing, or another file` : undefined
  })
}
