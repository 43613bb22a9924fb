/** The records of one model, by requests to their cluster. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { parseRecordTag } from "../../Http/ETag.ts"
import { collectionPath } from "../../Http/Paths.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import { encodedAll, inArray } from "../Change.ts"
import { misfit, misread, Unreadable } from "../Failure.ts"
import { checkMoment, type Past } from "../History.ts"
import { expectedVersion, namedId, newId } from "../Id.ts"
import type { ChangeOptions, ModelRepository, Versioned } from "../ModelRepository.ts"
import { checkRead } from "../ReadOptions.ts"
import * as Request from "../Request.ts"
import { decoded, isAbsent } from "./Answer.ts"
import type { Answered, Asked } from "./Asked.ts"
import { followChanges } from "./Changes.ts"
import { listQuery } from "./ListQuery.ts"
import { followLive } from "./Live.ts"
import type { LiveConnection } from "./LiveConnection.ts"
import { reading } from "./Reading.ts"
import type { Sending } from "./Sending.ts"
import { transactEncoded } from "./Transacting.ts"

/** A page of a record's history on the wire. */
const History = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({
      version: Schema.Int,
      index: Schema.Int,
      at: Schema.String,
      actor: Schema.optionalKey(Schema.String),
      event: Schema.Literals(["created", "updated", "deleted"]),
      ofState: Schema.optionalKey(Schema.Literal(true)),
      data: Schema.optionalKey(Schema.Unknown),
      erased: Schema.optionalKey(Schema.Literal(true))
    })
  ),
  next: Schema.NullOr(Schema.String),
  complete: Schema.Boolean
})
const historyOf = Schema.decodeUnknownResult(History)

/** Gives the records of a model. For a local model it asks the first node only. */
export const make = <M extends RowClass>(sending: Sending, live: LiveConnection, model: M): ModelRepository<M> => {
  const { decode, descriptor, encodeNew, encodePatch, encodeWhole } = codecsOf(model)
  const collection = collectionPath(descriptor)
  const isLocal = descriptor.mode === "local"
  const ofNode = isLocal ? { isOfOneNode: true } : {}
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

  const change = (asked: Asked, { key }: ChangeOptions = {}) => sending.change({ ...ofNode, ...asked }, key)

  const pageOf = Schema.decodeUnknownResult(
    Schema.Struct({
      items: Schema.Array(Schema.toCodecJson(model)),
      versions: Schema.Array(Schema.Int),
      next: Schema.NullOr(Schema.String),
      total: Schema.optionalKey(Schema.Int)
    })
  )

  const pastOf = ({
    actor,
    at,
    data,
    erased,
    event,
    index,
    ofState,
    version
  }: (typeof History)["Type"]["items"][number]) => {
    const past = {
      type: event,
      version,
      index,
      timeMs: Date.parse(at),
      actor,
      ...(ofState ? { isOfState: ofState } : {})
    }
    return erased === true
      ? Effect.succeed<Past<M>>({ ...past, row: undefined })
      : Effect.map(decoded(decode(data)), (row): Past<M> => ({ ...past, row }))
  }

  return {
    get: Effect.fnUntraced(function* (id: string, options = {}) {
      yield* misread(checkRead(options))
      if (!descriptor.ids.isId(id)) return Option.none()
      const asked = { method: "GET", path: at(id), ...ofNode, ...reading(options, sending.seenIndex()) } as const
      return yield* sending.ask(asked).pipe(
        Effect.flatMap(versioned),
        Effect.map(Option.some),
        Effect.catchIf(isAbsent, () => Effect.succeedNone)
      )
    }),
    at: Effect.fnUntraced(function* (id: string, moment, options = {}) {
      yield* misread(checkMoment(moment, options))
      if (!descriptor.ids.isId(id)) return Option.none()
      const { headers, query } = reading(options, sending.seenIndex())
      const then = "version" in moment ? String(moment.version) : new Date(moment.timeMs).toISOString()
      const asked = { method: "GET", path: at(id), query: [["at", then], ...query], headers, ...ofNode } as const
      return yield* sending.ask(asked).pipe(
        Effect.flatMap(versioned),
        Effect.map(Option.some),
        Effect.catchIf(isAbsent, () => Effect.succeedNone)
      )
    }),
    history: Effect.fnUntraced(function* (id: string, options = {}) {
      yield* misread(checkRead(options))
      const { cursor, limit } = options
      if (!descriptor.ids.isId(id)) return Option.none()
      const { headers, query } = reading(options, sending.seenIndex())
      const page = [
        ...(limit === undefined ? [] : [["limit", String(limit)] as const]),
        ...(cursor === undefined ? [] : [["cursor", cursor] as const])
      ]
      const path = `${at(id)}/history`
      const asked = { method: "GET", path, query: [...page, ...query], headers, ...ofNode } as const
      return yield* sending.ask(asked).pipe(
        Effect.flatMap(({ body }) => decoded(historyOf(body))),
        Effect.flatMap(({ complete, items, next }) =>
          Effect.map(Effect.forEach(items, pastOf), (items) =>
            Option.some({ items, next: next ?? undefined, isComplete: complete })
          )
        ),
        Effect.catchIf(isAbsent, () => Effect.succeedNone)
      )
    }),
    list: Effect.fnUntraced(function* (options = {}) {
      yield* misread(checkRead(options))
      const { headers, query } = reading(options, sending.seenIndex())
      const asked = yield* misread(listQuery(model, options))
      const answered = yield* sending.ask({
        method: "GET",
        path: collection,
        query: [...asked, ...query],
        headers,
        ...ofNode
      })
      const { items, next, total, versions } = yield* decoded(pageOf(answered.body))
      if (versions.length !== items.length) {
        return yield* new Unreadable({ message: `A page of ${items.length} records has ${versions.length} versions` })
      }
      return { items: items.map((row, at) => ({ row, version: versions[at]! })), next: next ?? undefined, total }
    }),
    create: (row, options) =>
      Effect.flatMap(misfit(encodeNew(row)), (body) =>
        Effect.flatMap(change(Request.create(descriptor, body), options), versioned)
      ),
    // Not by `_bulk`: the answer to a transaction has the versions.
    createAll: Effect.fnUntraced(function* (rows, options) {
      const changes = yield* misfit(encodedAll(model, rows))
      const done = yield* Effect.mapError(transactEncoded(sending, changes, options), inArray)
      return done.map(({ id: _, ...created }) => created) as unknown as ReadonlyArray<Versioned<M>>
    }),
    put: Effect.fnUntraced(function* (id: string, row, options) {
      const version = yield* misfit(expectedVersion(options))
      const body = yield* misfit(Result.andThen(newId(descriptor, id), encodeWhole(row)))
      return yield* Effect.flatMap(change(Request.write("PUT", descriptor, { id, body, version }), options), versioned)
    }),
    patch: Effect.fnUntraced(function* (id: string, patch, options) {
      const version = yield* misfit(expectedVersion(options))
      yield* namedId(descriptor, id)
      const body = yield* misfit(encodePatch(patch))
      const fields = Object.keys(body)
      const isOfOneNode =
        isLocal || (fields.length > 0 && fields.every((field) => descriptor.localFields.includes(field)))
      const asked = { ...Request.write("PATCH", descriptor, { id, body, version }), isOfOneNode }
      return yield* Effect.flatMap(change(asked, options), versioned)
    }),
    delete: Effect.fnUntraced(function* (id: string, options) {
      const version = yield* misfit(expectedVersion(options))
      yield* namedId(descriptor, id)
      yield* change(Request.remove(descriptor, id, version), options)
    }),
    changes: followChanges(sending.reached, model),
    live: followLive(live, model)
  }
}
