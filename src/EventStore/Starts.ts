/**
 * Keeps a random number for each start of a node in its data directory, in the file `starts`. The cluster records the
 * last start that it met. If a directory lacks the recorded one, somebody copied it before that start, or set it back
 * to an older state: what its node acknowledged since then is not in it. Life.ts counts the starts.
 */
import { randomBytes } from "node:crypto"
import { Effect } from "effect"
import { codeOf, isSpaceShort, readWholeFile, writeFileAtomically } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"
import type { OwnStarts } from "./Start.ts"

/** The file with a line for each start, the newest last. */
export const STARTS_FILE = "starts"

/** So many are kept: those of some hours in which a supervisor starts a failing node each second. */
const startsMaxCount = 16_384
const nonceBytes = 8
const pattern = /^[0-9a-f]{16}$/

/** A line that is damaged stands for no start. */
const readNonces = (directory: string): Effect.Effect<ReadonlyArray<string>, LogFailed> =>
  readWholeFile(`${directory}/${STARTS_FILE}`).pipe(
    Effect.catchTag("LogFailed", (failure) =>
      codeOf(failure) === "ENOENT" ? Effect.succeed(new Uint8Array()) : Effect.fail(failure)
    ),
    Effect.map((bytes) => new TextDecoder().decode(bytes).split("\n")),
    Effect.map((lines) => lines.filter((line) => pattern.test(line)))
  )

/**
 * Draws the number of this start and keeps it, durably when this returns: nobody hears of a start that the next one does
 * not know. On a full disk the node starts all the same, and tells its start to nobody.
 */
export const beginStart = (directory: string, life: number): Effect.Effect<OwnStarts, LogFailed> =>
  Effect.gen(function* () {
    const former = yield* readNonces(directory)
    const nonce = randomBytes(nonceBytes).toString("hex")
    const nonces = [...former, nonce].slice(-startsMaxCount)
    const known = new Set(nonces)
    const includes: OwnStarts["includes"] = (start) => known.has(start.nonce)
    const parts = [new TextEncoder().encode(`${nonces.join("\n")}\n`)]
    return yield* Effect.matchEffect(writeFileAtomically({ directory, name: STARTS_FILE, parts }), {
      onSuccess: () => Effect.succeed({ current: { life, nonce }, includes }),
      onFailure: (failure) =>
        isSpaceShort(failure) ? Effect.succeed({ current: undefined, includes }) : Effect.fail(failure)
    })
  })
