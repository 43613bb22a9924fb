/**
 * The records of one model, by the services of a node. Repository/Records.ts knows which log keeps each part of a
 * record.
 */
import { Effect, Option, Result } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import { decodePlace, encodePlace, problemOfPast } from "../../Http/HistoryReads.ts"
import { fingerprintOf, nextCursor } from "../../Http/ListQuery.ts"
import { limitDefault, limitMax } from "../../Http/PageLimit.ts"
import type { Operation } from "../../Machine/Command.ts"
import { list } from "../../Machine/List.ts"
import { errorsOfAsked } from "../../Machine/Seen.ts"
import type { FieldError } from "../../Model/FieldError.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import type { Shown } from "../../Repository/Changed.ts"
import type { Records } from "../../Repository/Records.ts"
import { recordUnreadable } from "../../Repository/RejectionProblem.ts"
import { encodedAll, inArray } from "../Change.ts"
import { misfit, misread, Unreadable } from "../Failure.ts"
import { checkMoment, type Past } from "../History.ts"
import { expectedVersion, namedId, newId } from "../Id.ts"
import { listedOf } from "../ListOptions.ts"
import type { ChangeOptions, ModelRepository, Versioned } from "../ModelRepository.ts"
import * as Request from "../Request.ts"
import { type FollowOptions, make as makeChanges } from "./Changes.ts"
import { afterOf } from "./Cursor.ts"
import { failureOf } from "./Failure.ts"
import { type LiveOptions, make as makeLive } from "./Live.ts"
import { originOfChange } from "./Origin.ts"
import type { Session } from "./Reading.ts"
import type { TransactEncoded } from "./Transacting.ts"

/** The services that the records of all models share. */
export interface RecordsOptions {
  readonly caller: Caller
  readonly records: Records["Service"]
  readonly session: Session
  readonly transactEncoded: TransactEncoded
  readonly following: Omit<FollowOptions, "caller">
  readonly live: LiveOptions["live"]
}

/** Gives the records of a model. */
export const make = <M extends RowClass>(
  { caller, following, live, records, session, transactEncoded }: RecordsOptions,
  model: M
): ModelRepository<M> => {
  const codecs = codecsOf(model)
  const { decode, descriptor, encodeNew, encodePatch, encodeWhole } = codecs
  const { name } = descriptor

  const versioned = ({ record, version }: Pick<Shown, "record" | "version">): Effect.Effect<Versioned<M>, Unreadable> =>
    Effect.fromResult(
      Result.mapBoth(decode(record), {
        onFailure: ({ message }) => new Unreadable({ message }),
        onSuccess: (row) => ({ row, version })
      })
    )

  const submit = Effect.fnUntraced(function* (
    operation: Operation,
    request: Request.ChangeRequest,
    { key }: ChangeOptions = {}
  ) {
    const origin = yield* originOfChange(request, key)
    return yield* records.change(caller, descriptor, { ...operation, ...origin }).pipe(
      session.watch,
      Effect.mapError((failure) => failureOf(failure, { key }))
    )
  })

  /** Submits a change, and shows the record that it left. */
  const change = Effect.fnUntraced(function* (...asked: Parameters<typeof submit>) {
    const changed = yield* submit(...asked)
    const done = yield* versioned(changed)
    return changed.isLocalPartLost ? { ...done, isLocalPartLost: true as const } : done
  })

  const conditionOf = (version: number | undefined) => (version === undefined ? {} : { ifMatch: [version] })

  return {
    get: Effect.fnUntraced(function* (id: string, options = {}) {
      const consistency = yield* session.consistencyOf(options)
      if (!descriptor.ids.isId(id)) return Option.none()
      const read = yield* records.get(caller, descriptor, id, consistency).pipe(
        session.watch,
        Effect.mapError((failure) => failure.toProblem())
      )
      return read.value === undefined ? Option.none() : Option.some(yield* versioned(read.value))
    }),
    at: Effect.fnUntraced(function* (id: string, moment, options = {}) {
      yield* misread(checkMoment(moment, options))
      const consistency = yield* session.consistencyOf(options)
      if (!descriptor.ids.isId(id)) return Option.none()
      const read = yield* records
        .past(caller, descriptor, id, moment, consistency)
        .pipe(session.watch, Effect.mapError(problemOfPast))
      return read.value === undefined ? Option.none() : Option.some(yield* versioned(read.value))
    }),
    history: Effect.fnUntraced(function* (id: string, options = {}) {
      const consistency = yield* session.consistencyOf(options)
      const { cursor, limit = limitDefault } = options
      yield* misread(limitOf(limit))
      const record = { path: descriptor.path, id }
      const place = cursor === undefined ? { afterVersion: 0 } : decodePlace(record, cursor)
      if (!descriptor.ids.isId(id)) return Option.none()
      if (place === undefined) return yield* misread(Result.fail([notOurs]))
      const { value: page } = yield* records
        .history(caller, descriptor, id, { place, limit }, consistency)
        .pipe(session.watch, Effect.mapError(problemOfPast))
      if (page === undefined) return Option.none()
      const items = yield* Effect.forEach(page.items, ({ event: type, modelVersion: _, record, ...past }) =>
        record === undefined
          ? Effect.succeed<Past<M>>({ ...past, type, row: undefined })
          : Effect.map(versioned({ record, version: past.version }), ({ row }): Past<M> => ({ ...past, type, row }))
      )
      const next = page.next === undefined ? undefined : encodePlace(record, page.next)
      return Option.some({ items, next, isComplete: page.isComplete })
    }),
    list: Effect.fnUntraced(function* (options = {}) {
      const consistency = yield* session.consistencyOf(options)
      const { limit = limitDefault, countsTotal = false, cursor } = options
      const listed = yield* misread(listedOf(codecs, options))
      const fingerprint = fingerprintOf(descriptor, listed)
      const after = cursor === undefined ? undefined : yield* misread(afterOf(codecs, listed, { cursor, fingerprint }))
      const source = yield* records.source(caller, descriptor, consistency).pipe(
        session.watch,
        Effect.mapError((failure) => failure.toProblem())
      )
      const unseen = errorsOfAsked(source.value.unseen, listed)
      if (unseen.length > 0) return yield* misread(Result.fail(unseen))
      const found = list(source.value, { ...listed, limit, after, countsTotal })
      const { lastKey, rows, total } = yield* Effect.fromResult(
        Result.mapError(found, (row) => recordUnreadable({ _tag: "RecordUnreadable", model: name, ...row }))
      )
      const next = lastKey === undefined ? undefined : yield* Effect.fromResult(nextCursor({ fingerprint }, lastKey))
      const items = yield* Effect.forEach(rows, ({ record, row }) => versioned({ record, version: row.version }))
      return { items, next, total }
    }),
    create: (row, options) =>
      Effect.flatMap(misfit(encodeNew(row)), (data) =>
        change({ _tag: "Create", model: name, data }, Request.create(descriptor, data), options)
      ),
    createAll: Effect.fnUntraced(function* (rows, options) {
      const changes = yield* misfit(encodedAll(model, rows))
      const done = yield* Effect.mapError(transactEncoded(changes, options), inArray)
      return done.map(({ id: _, ...created }) => created) as unknown as ReadonlyArray<Versioned<M>>
    }),
    put: Effect.fnUntraced(function* (id: string, row, options) {
      const version = yield* misfit(expectedVersion(options))
      const data = yield* misfit(Result.andThen(newId(descriptor, id), encodeWhole(row)))
      const request = Request.write("PUT", descriptor, { id, body: data, version })
      return yield* change({ _tag: "Put", model: name, id, data, ...conditionOf(version) }, request, options)
    }),
    patch: Effect.fnUntraced(function* (id: string, patch, options) {
      const version = yield* misfit(expectedVersion(options))
      yield* namedId(descriptor, id)
      const data = yield* misfit(encodePatch(patch))
      const request = Request.write("PATCH", descriptor, { id, body: data, version })
      return yield* change({ _tag: "Patch", model: name, id, data, ...conditionOf(version) }, request, options)
    }),
    delete: Effect.fnUntraced(function* (id: string, options) {
      const version = yield* misfit(expectedVersion(options))
      yield* namedId(descriptor, id)
      const request = Request.remove(descriptor, id, version)
      // Nobody asks for the record that it removed, which this release may be unable to read.
      yield* submit({ _tag: "Delete", model: name, id, ...conditionOf(version) }, request, options)
    }),
    changes: makeChanges({ ...following, caller }, model),
    live: makeLive({ caller, live, session }, model)
  }
}

const notOurs: FieldError = { path: "cursor", message: "is not one of this record's history" }

const limitOf = (limit: number): Result.Result<void, ReadonlyArray<FieldError>> =>
  Number.isInteger(limit) && limit >= 1 && limit <= limitMax
    ? Result.void
    : Result.fail([{ path: "limit", message: `takes a number from 1 to ${limitMax}` }])
