/** The typed records of one model, for a client of the cluster. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { parseRecordTag } from "../Http/ETag.ts"
import { collectionPath } from "../Http/Paths.ts"
import type { FieldError } from "../Model/Descriptor.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import { codecsOf } from "../Model/RowCodecs.ts"
import { notFound, type Problem } from "../Problem.ts"
import type { UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { ChangeOptions, ConditionalOptions, Versioned } from "../Repository/ModelRepository.ts"
import type { Answered, Asked } from "./Asked.ts"
import { decoded, isAbsent, misfit, type NoAnswer, Unreadable } from "./Failure.ts"
import { type ListOptions, listQuery } from "./ListQuery.ts"
import { type ReadOptions, reading } from "./Reading.ts"
import type { Sending } from "./Sending.ts"

/** Why a read failed. */
export type ReadFailure = Problem | NoAnswer | Unreadable

/** Why a change failed. Only after `UnknownOutcome` it may be done; after `Unreadable` it is done. */
export type WriteFailure = Problem | UnknownOutcome | Unreadable

/** One page of a list. */
export interface Page<M extends RowClass> {
  readonly items: ReadonlyArray<M["Type"]>
  /** Give it as `cursor` to get the next page; undefined on the last one. */
  readonly next: string | undefined
  /** How many records all pages have together, if the options asked for it. */
  readonly total: number | undefined
}

/**
 * The records of one model. A change fails with `Problem` if it is certainly not done, and with `UnknownOutcome` if it
 * may be done; its key says how to find out. The client uses only its first node for a local model.
 */
export interface ModelRecords<M extends RowClass> {
  readonly get: (id: string, options?: ReadOptions) => Effect.Effect<Option.Option<Versioned<M>>, ReadFailure>
  readonly list: (options?: ListOptions<M>) => Effect.Effect<Page<M>, ReadFailure>
  /** Creates a record. The cluster generates an id if the record has none. */
  readonly create: (row: M["create"]["Type"], options?: ChangeOptions) => Effect.Effect<Versioned<M>, WriteFailure>
  /** Creates all records or none, at most 1,000. Returns them in order. */
  readonly createAll: (
    rows: ReadonlyArray<M["create"]["Type"]>,
    options?: ChangeOptions
  ) => Effect.Effect<ReadonlyArray<M["Type"]>, WriteFailure>
  /** Replaces or creates the whole record. */
  readonly put: (
    id: string,
    row: M["put"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, WriteFailure>
  /** Applies a merge patch (RFC 7396). Null removes an optional field, and an object is merged into the old value. */
  readonly patch: (
    id: string,
    patch: M["patch"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, WriteFailure>
  readonly delete: (id: string, options?: ConditionalOptions) => Effect.Effect<void, WriteFailure>
}

/** Gives the records of a model by requests to its cluster. */
export const make = <M extends RowClass>(sending: Sending, model: M): ModelRecords<M> => {
  const { decode, descriptor, encodeNew, encodePatch, encodeWhole } = codecsOf(model)
  const collection = collectionPath(descriptor)
  /** An id that cannot be in a path names no record. The client does not send it: it might become another path. */
  const named = (id: string): Effect.Effect<void, Problem> =>
    descriptor.ids.isId(id)
      ? Effect.void
      : Effect.fail(notFound(`There is no ${descriptor.name} ${id.slice(0, shownMax)}`))
  const ofNode = descriptor.mode === "local" ? { isOfOneNode: true } : {}
  const at = (id: string): string => `${collection}/${encodeURIComponent(id)}`

  const versioned = (answered: Answered): Effect.Effect<Versioned<M>, Unreadable> =>
    Effect.gen(function* () {
      const [, tag = ""] = /^"(.*)"$/.exec(answered.headers.etag ?? "") ?? []
      const version = parseRecordTag(tag)?.version
      if (version === undefined)
        return yield* new Unreadable({ message: `The answer with a ${descriptor.name} has no version` })
      const row = yield* decoded(decode(answered.body))
      const isLocalPartLost = answered.headers["lithair-local"] === "lost"
      return isLocalPartLost ? { row, version, isLocalPartLost } : { row, version }
    })

  /** Refuses to create a record with a bad id. */
  const idOf = (id: string): Result.Result<void, ReadonlyArray<FieldError>> =>
    descriptor.ids.isId(id)
      ? Result.void
      : Result.fail([{ path: descriptor.idField, message: `Expected an id of ${descriptor.name}` }])

  const change = (asked: Asked, { key }: ChangeOptions = {}) => sending.change({ ...ofNode, ...asked }, key)

  const rows = Schema.Array(Schema.toCodecJson(model))
  const rowsOf = Schema.decodeUnknownResult(rows)
  const pageOf = Schema.decodeUnknownResult(
    Schema.Struct({
      items: rows,
      next: Schema.NullOr(Schema.String),
      total: Schema.optionalKey(Schema.Int)
    })
  )

  return {
    get: (id, options = {}) =>
      named(id).pipe(
        Effect.andThen(
          sending.ask({ method: "GET", path: at(id), ...ofNode, ...reading(options, sending.seenIndex()) })
        ),
        Effect.flatMap(versioned),
        Effect.map(Option.some),
        Effect.catchIf(isAbsent, () => Effect.succeedNone)
      ),
    list: Effect.fnUntraced(function* (options = {}) {
      const { headers, query } = reading(options, sending.seenIndex())
      const asked = yield* misfit(listQuery(model, options))
      const answered = yield* sending.ask({
        method: "GET",
        path: collection,
        query: [...asked, ...query],
        headers,
        ...ofNode
      })
      const { items, next, total } = yield* decoded(pageOf(answered.body))
      return { items, next: next ?? undefined, total }
    }),
    create: (row, options) =>
      Effect.flatMap(misfit(encodeNew(row)), (body) =>
        Effect.flatMap(change({ method: "POST", path: collection, body }, options), versioned)
      ),
    createAll: Effect.fnUntraced(function* (rows, options) {
      const body = yield* misfit(Result.all(rows.map((row, at) => Result.mapError(encodeNew(row), placedAt(at)))))
      const answered = yield* change({ method: "POST", path: `${collection}/_bulk`, body }, options)
      return yield* decoded(rowsOf(answered.body))
    }),
    put: (id, row, options) =>
      Effect.flatMap(misfit(Result.andThen(idOf(id), encodeWhole(row))), (body) =>
        Effect.flatMap(change({ method: "PUT", path: at(id), body, headers: conditionOf(options) }, options), versioned)
      ),
    patch: (id, patch, options) =>
      Effect.flatMap(Effect.andThen(named(id), misfit(encodePatch(patch))), (body) => {
        const fields = Object.keys(body)
        const isLocal = fields.length > 0 && fields.every((field) => descriptor.localFields.includes(field))
        const asked = {
          method: "PATCH",
          path: at(id),
          body,
          headers: conditionOf(options),
          isOfOneNode: isLocal
        } as const
        return Effect.flatMap(change(asked, options), versioned)
      }),
    delete: (id, options) =>
      named(id).pipe(
        Effect.andThen(change({ method: "DELETE", path: at(id), headers: conditionOf(options) }, options)),
        Effect.asVoid
      )
  }
}

/** Messages quote at most so many characters of a bad id. */
const shownMax = 200

/** Prefixes the errors of a bulk with the position, as a node does. */
const placedAt = (at: number) => (errors: ReadonlyArray<FieldError>) =>
  errors.map(({ message, path }) => ({ path: path === "" ? String(at) : `${at}.${path}`, message }))

const conditionOf = ({ ifVersion }: ConditionalOptions = {}): Readonly<Record<string, string>> =>
  ifVersion === undefined ? {} : { "if-match": `"${ifVersion}"` }
