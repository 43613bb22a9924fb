/**
 * The format of a log: which kinds of events, fields of entries and pieces of snapshots it may hold, and what its state
 * hash counts. Pure. It is active in the log like a version of a model, and never goes back. A leader decides something
 * new only once its format is active, and that happens only once every member's release knows it (Cluster/Activation.ts).
 * docs/evolution.md.
 *
 * | Format | Adds |
 * |---|---|
 * | 1 | all that a release without formats writes |
 * | 2 | lifted records, floors of what a log retains, floors of versions after a restore, pages of rows in snapshots |
 * | 3 | versions of local parts, compressed snapshots, erasures of records, chains of digests, keys as digests (Sessions.ts), what the history of a restored log holds below its base |
 * | 4 | starts of members in configurations |
 * | 5 | what the history of a restored log holds of its archives |
 */
import { Runtime } from "effect"
import { InvariantViolation } from "../Invariant.ts"

/** The format of a log that states none. */
export const initial = 1

/** The newest format that this release knows. */
export const newest = 5

/** The format that lifts records. */
export const lifting = 2

/** The format that retains a part of history. */
export const retaining = 2

/** The format that erases records. */
export const erasing = 3

/** The format whose entries carry digests. */
export const proving = 3

/** The format that a restored log has at least: it knows floors of versions, and what comes before the base. */
export const restoring = 3

/** The format of a restored log whose history holds what its archives held. */
export const archiving = 5

/** The format whose snapshots hold rows in pages (RowPage.ts). */
export const paging = 2

/** The format whose local parts have versions. */
export const versionedParts = 3

/** The format whose snapshots may be compressed. */
export const compressing = 3

/** The format whose configurations may hold the last start of each member's directory. */
export const recordingStarts = 4

/** The format that remembers keys as digests, in buckets of their holders. */
export const keyBuckets = 3

/** The formats of a node: the newest that it knows, and the one in which it begins a new log. */
export interface Formats {
  readonly newest: number
  readonly begins: number
  /** Present for a node's own log, whose dated keys count its own entries (DatedKey.ts). */
  readonly isOfNode?: true
}

/** Those of this release for the cluster's log: a new cluster begins in the newest. */
export const ofRelease: Formats = { newest, begins: newest }

/** Those of this release for a node's own log: the node may go back to a former release until the cluster's is raised. */
export const ofOwnLog: Formats = { newest, begins: initial, isOfNode: true }

/**
 * The name under which nodes announce their newest format, as they announce versions of models. No model can have it: a
 * model's name begins with a letter.
 */
export const announcedAs = "~format"

/** Whether a log may hold what this format adds. Once true, it stays true, so any node may ask its applied tables. */
export const isFormatActive = ({ format }: { readonly format: number }, needed: number): boolean => format >= needed

/** The format that the first entry of a log states. */
export const beginning = ({ index }: { readonly index: number }, { begins }: Formats): { readonly format?: number } =>
  index === 0 && begins > initial ? { format: begins } : {}

/** `EX_CONFIG` of sysexits.h: starting the node again changes nothing. */
const unknownExitCode = 78

/**
 * A log or a snapshot is of a format that this release does not know: a newer release wrote it. The node stops, since it
 * would diverge from the others if it went on.
 */
export class FormatUnknown extends InvariantViolation {
  override readonly [Runtime.errorExitCode] = unknownExitCode
}

/** Stops the node if its release, which knows formats up to `newest`, does not know the format of `what`. */
export const checkKnown = (what: string, format: number | undefined, newest: number): void => {
  if (format !== undefined && format > newest) {
    throw new FormatUnknown(
      `${what} is of format ${format}, and this release knows formats up to ${newest}: start this node with the release of the other nodes`
    )
  }
}
