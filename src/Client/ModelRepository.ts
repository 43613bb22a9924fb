/** The records of one model, as a program uses them: on a node (near/) or over HTTP (far/). Types only. */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { IdOf } from "../Model/Class.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import type { FollowChanges } from "./ChangeStream.ts"
import type { ReadFailure, WriteFailure } from "./Failure.ts"
import type { HistoryOptions, HistoryPage, Moment } from "./History.ts"
import type { ListOptions } from "./ListOptions.ts"
import type { FollowLive } from "./LivePage.ts"
import type { ReadOptions } from "./ReadOptions.ts"
import type { Versioned } from "./Versioned.ts"

export type { Versioned } from "./Versioned.ts"

/** One page of a list. It may have fewer records than its `limit`: only `next` says that it is the last one. */
export interface Page<M extends RowClass> {
  readonly items: ReadonlyArray<Versioned<M>>
  /** Give it as `cursor` to get the next page; undefined on the last one. */
  readonly next: string | undefined
  /** How many records all pages have together, if the options asked for it. */
  readonly total: number | undefined
}

/**
 * With a key, 1 to 255 visible ASCII characters, a change is done once, however often it is sent within a day. A holder of
 * keys has a quota of them for a day; keys that the client makes by itself have none.
 */
export interface ChangeOptions {
  readonly key?: string
}

/** Options of a conditional change. If the record is not at `ifVersion`, the change is refused: `version-conflict`. */
export interface ConditionalOptions extends ChangeOptions {
  readonly ifVersion?: number
}

/**
 * The records of one model. A change fails with `Problem` if it is certainly not done, and with `UnknownOutcome` if it
 * may be done; its key says how to find out. Reads are linearizable by default.
 */
export interface ModelRepository<M extends RowClass> {
  readonly get: (id: IdOf<M>, options?: ReadOptions) => Effect.Effect<Option.Option<Versioned<M>>, ReadFailure>
  readonly list: (options?: ListOptions<M>) => Effect.Effect<Page<M>, ReadFailure>
  /** Creates a record. The cluster generates an id if the record has none. */
  readonly create: (row: M["create"]["Type"], options?: ChangeOptions) => Effect.Effect<Versioned<M>, WriteFailure>
  /** Creates all records or none, 1 to 1,000. Returns them in order. */
  readonly createAll: (
    rows: ReadonlyArray<M["create"]["Type"]>,
    options?: ChangeOptions
  ) => Effect.Effect<ReadonlyArray<Versioned<M>>, WriteFailure>
  /** Replaces or creates the whole record. */
  readonly put: (
    id: IdOf<M>,
    row: M["put"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, WriteFailure>
  /**
   * Applies a merge patch (RFC 7396). Null removes an optional field, and sets a required field to null if it allows
   * null. A struct or a record is merged into the old value; any other value replaces it.
   */
  readonly patch: (
    id: IdOf<M>,
    patch: M["patch"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, WriteFailure>
  readonly delete: (id: IdOf<M>, options?: ConditionalOptions) => Effect.Effect<void, WriteFailure>
  /** Reads the record as it was: its replicated fields. None if there was none then; `history-gone` if it is not retained. */
  readonly at: (
    id: IdOf<M>,
    moment: Moment,
    options?: ReadOptions
  ) => Effect.Effect<Option.Option<Versioned<M>>, ReadFailure>
  /** Reads a page of the record's versions, oldest first, also after its deletion. None for an id that never was. */
  readonly history: (id: IdOf<M>, options?: HistoryOptions) => Effect.Effect<Option.Option<HistoryPage<M>>, ReadFailure>
  /** Follows the committed changes, each once and in order. */
  readonly changes: FollowChanges<M>
  /** Keeps a page of a list right. */
  readonly live: FollowLive<M>
}
