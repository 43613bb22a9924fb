/** The pieces of a snapshot, each a line of JSON. Pure data. Snapshot.ts writes and reads them. */
import type * as AssignedKeys from "./AssignedKeys.ts"
import type { Chain } from "./Chain.ts"
import type * as KeyPage from "./KeyPage.ts"
import type * as Limits from "./Limits.ts"
import type { LocalPart } from "./LocalPart.ts"
import type { Restored as RestoredLog } from "./Restored.ts"
import type * as RowPage from "./RowPage.ts"
import type { KeptOutcome, Session } from "./Session.ts"
import type { Row, Tombstone } from "./Table.ts"

/** One piece of a snapshot. `State` comes first, and each `Table` before its rows and tombstones. */
export type Piece =
  | {
      readonly _tag: "State"
      readonly index: number
      readonly lastTimeMs: number
      readonly logAgeMs: number
      /** Absent in format 1. */
      readonly format?: number
      /** Absent if all history is retained. */
      readonly retainedFrom?: number
      /** Present if a restore or a recovery began the log. */
      readonly restored?: RestoredLog
      /** Present if the log has a chain of digests. */
      readonly chain?: Chain
      /** Absent in a snapshot by a release without limits. */
      readonly limits?: Limits.Limits
      /** The limit that such a release reads here. */
      readonly tombstonesMax: number
      readonly assignedKeys: AssignedKeys.Bounds & { readonly horizonIndex: number }
      /** The horizon below which no bucket's is. Absent if it is 0. */
      readonly horizonFloor?: number
      /** The hash by the definition of that number (StateElements.ts), 1 if it is absent. A restore counts the hash again. */
      readonly hash: ReadonlyArray<number>
      readonly hashDefinition?: number
    }
  | {
      readonly _tag: "Table"
      readonly model: string
      readonly modelVersion: number
      readonly versionFloor: number
      readonly nextTombstoneSequence: number
      readonly isEnded?: true
      /** Absent if no record of it was erased. */
      readonly erasedIndex?: number
    }
  | { readonly _tag: "Row"; readonly model: string; readonly id: string; readonly row: Row }
  | { readonly _tag: "Rows"; readonly model: string; readonly page: RowPage.RowPage }
  | { readonly _tag: "LocalPart"; readonly model: string; readonly id: string; readonly part: LocalPart }
  | { readonly _tag: "Tombstone"; readonly model: string; readonly id: string; readonly tombstone: Tombstone }
  | { readonly _tag: "Erasure"; readonly model: string; readonly id: string; readonly index: number }
  | { readonly _tag: "Session"; readonly name: string; readonly session: WrittenSession }
  | {
      readonly _tag: "AssignedKey"
      readonly name: string
      readonly index: number
      /** Present if this key is the last of its generation. */
      readonly endsGeneration?: true
    }
  | { readonly _tag: "Horizon"; readonly bucket: number; readonly horizonIndex: number }
  | { readonly _tag: "DatedKeys"; readonly page: KeyPage.KeyPage }

/** An opaque key, with its outcome as JSON data. */
export type WrittenSession = Omit<Session, "outcome"> & { readonly outcome?: KeptOutcome }
