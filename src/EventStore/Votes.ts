/**
 * The hard state of a node, its term and its vote, apart from its log: two files that hold the same. Damage to the log
 * does not touch them, and damage to one of them leaves the other. FORMAT.md has the bytes. Raft Fig. 2, C1, C26.
 *
 * Each hard state is written to one file and synced, then to the other. Only then may anybody act on it. So either file
 * alone holds every hard state that anybody has acted on, or a later one. Files that took turns would not do: damage to
 * the later one would bring the earlier one back, and with it a vote that the node has given away.
 */
import { Effect } from "effect"
import { invariant } from "../Invariant.ts"
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"
import {
  isFile,
  listDirectory,
  makeFolder,
  readWholeFile,
  syncFile,
  withFile,
  writeAll,
  writeFileAtomically
} from "./Files.ts"
import type { HardState } from "./LogEntry.ts"
import type { LogFailed } from "./LogStore.ts"

/** The folder of the files, in a data directory. */
export const VOTES_FOLDER = "votes"
const NAMES = ["one.vote", "other.vote"]

const MAGIC = new TextEncoder().encode("LITHVOTE")
const FORMAT_VERSION = 1
/** One sector, so that a file is written whole or not at all on most disks. */
export const VOTE_FILE_BYTES = 512
const VOTE_OFFSET = 32
const VOTE_BYTES_MAX = 256
const NO_VOTE = 0xffff_ffff
const CHECKSUM_OFFSET = VOTE_FILE_BYTES - 4

/** The bytes of a file. */
export const encodeVote = ({ currentTerm, votedFor }: HardState): Uint8Array => {
  const bytes = new Uint8Array(VOTE_FILE_BYTES)
  const view = viewOf(bytes)
  const vote = new TextEncoder().encode(votedFor ?? "")
  invariant(vote.length <= VOTE_BYTES_MAX, "the id of a candidate is longer than a vote file holds")
  bytes.set(MAGIC, 0)
  view.setUint32(8, FORMAT_VERSION, true)
  view.setUint32(12, votedFor === undefined ? NO_VOTE : vote.length, true)
  setUint64(view, 16, currentTerm)
  bytes.set(vote, VOTE_OFFSET)
  view.setUint32(CHECKSUM_OFFSET, checksum(bytes.subarray(0, CHECKSUM_OFFSET)), true)
  return bytes
}

/** The hard state in the bytes of a file; undefined if they are damaged. */
export const decodeVote = (bytes: Uint8Array): HardState | undefined => {
  if (bytes.length !== VOTE_FILE_BYTES || MAGIC.some((byte, at) => bytes[at] !== byte)) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(CHECKSUM_OFFSET, true) !== checksum(bytes.subarray(0, CHECKSUM_OFFSET))) return undefined
  const voteBytes = view.getUint32(12, true)
  const currentTerm = getUint64(view, 16)
  const isKnown = view.getUint32(8, true) === FORMAT_VERSION && (voteBytes === NO_VOTE || voteBytes <= VOTE_BYTES_MAX)
  if (!isKnown || currentTerm === undefined) return undefined
  if (voteBytes === NO_VOTE) return { currentTerm, votedFor: undefined }
  return { currentTerm, votedFor: new TextDecoder().decode(bytes.subarray(VOTE_OFFSET, VOTE_OFFSET + voteBytes)) }
}

/** The later of two hard states of one node. Within a term a node votes once, and then keeps its vote. */
export const later = (one: HardState | undefined, other: HardState | undefined): HardState | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  if (one.currentTerm !== other.currentTerm) return one.currentTerm > other.currentTerm ? one : other
  return one.votedFor === undefined ? other : one
}

export const isSameHardState = (one: HardState | undefined, other: HardState | undefined): boolean =>
  one?.currentTerm === other?.currentTerm && one?.votedFor === other?.votedFor

/** The files of a data directory. */
export interface Votes {
  /** The hard state that the files held when they were opened; undefined if both were missing or damaged. */
  readonly found: HardState | undefined
  /** Makes a hard state durable in both files. */
  readonly keep: (hardState: HardState) => Effect.Effect<void, LogFailed>
}

/** Opens the files of the data directory `directory`, and changes nothing. */
export const openVotes = Effect.fnUntraced(function* (directory: string): Effect.fn.Return<Votes, LogFailed> {
  const folder = `${directory}/${VOTES_FOLDER}`
  const isThere = yield* isFile(folder)
  const names = isThere ? yield* listDirectory(folder) : []
  const held = new Map<string, HardState | undefined>()
  for (const name of NAMES) {
    const hardState = names.includes(name) ? decodeVote(yield* readWholeFile(`${folder}/${name}`)) : undefined
    held.set(name, hardState)
    if (names.includes(name) && hardState === undefined) {
      yield* Effect.logWarning(`"${VOTES_FOLDER}/${name}" is damaged, and is written anew`)
    }
  }
  const found = [...held.values()].reduce(later, undefined)

  const write = Effect.fnUntraced(function* (name: string, hardState: HardState) {
    const bytes = encodeVote(hardState)
    // What is not a vote file yet gets its name only once it is whole.
    if (held.get(name) === undefined) yield* writeFileAtomically({ directory: folder, name, parts: [bytes] })
    else yield* withFile(`${folder}/${name}`, "r+", (file) => Effect.andThen(writeAll(file, bytes, 0), syncFile(file)))
    held.set(name, hardState)
  })

  let isMade = false
  const keep = Effect.fnUntraced(function* (hardState: HardState) {
    if (!isMade) yield* makeFolder(folder)
    isMade = true
    for (const name of NAMES) {
      if (!isSameHardState(held.get(name), hardState)) yield* write(name, hardState)
    }
  }, Effect.uninterruptible)

  return { found, keep }
})
