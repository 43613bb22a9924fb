/**
 * Implements a handler's transaction over the machine's access for one call. It decodes and encodes rows on the way.
 */
import { Effect, Option, Result, type Schema } from "effect"
import { invariant } from "../Invariant.ts"
import type { Operation } from "../Machine/Command.ts"
import { type Access, endsCall } from "../Machine/Procedure.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import { describe } from "../Model/Class.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldError } from "../Model/FieldError.ts"
import { codecsOf, type RowClass, type RowCodecs } from "../Model/RowCodecs.ts"
import {
  type ListOptions,
  listMax,
  type ModelClass,
  NotFound,
  OperationRefused,
  type Transaction,
  type TransactionOf
} from "./Transaction.ts"

/** A mistake in a handler, or the end of its call. A handler cannot handle it. */
class HandlerMistake extends Error {
  override readonly name = "HandlerMistake"
}

const mistake = (message: string) => Effect.die(new HandlerMistake(message))

/** A transaction that is closed when its handler ends, so that a fiber that outlives the handler cannot use it. */
export interface Over {
  readonly transaction: Transaction["Service"]
  readonly close: () => void
  /** The reason why the call ended before its handler, if it did. */
  readonly end: () => Rejection | undefined
}

/** A transaction over the access for one call. */
export const over = (access: Access): Over => {
  const call: CallState = { isClosed: false, end: undefined }
  return {
    close: () => {
      call.isClosed = true
    },
    end: () => call.end,
    transaction: transactionOver(access, call, false)
  }
}

/** What all transactions of one call share: those that act for a caller are of the same call. */
interface CallState {
  isClosed: boolean
  end: Rejection | undefined
}

const transactionOver = (access: Access, call: CallState, isActing: boolean): TransactionOf => {
  const at = <A, E>(
    model: RowClass,
    attempt: (codecs: RowCodecs<RowClass>) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const { name, mode } = describe(model)
      if (call.isClosed) return mistake("A transaction was used after the end of its command")
      if (mode === "local") return mistake(`${name} is local to each node: no command sees its records`)
      return attempt(codecsOf(model))
    })

  const rowOf = ({ decode, descriptor }: RowCodecs<RowClass>, data: unknown): Effect.Effect<never> => {
    const decoded = decode(data)
    return Result.isSuccess(decoded)
      ? Effect.succeed(decoded.success as never)
      : mistake(`A record of ${descriptor.name} does not fit its model: ${decoded.failure.message}`)
  }

  const refuse = (model: string, rejection: Rejection): Effect.Effect<never, OperationRefused> => {
    if (endsCall(rejection)) call.end = rejection
    if (call.end !== undefined) return mistake(`Nothing counts any more: ${call.end._tag}`)
    // A caller knows no model that HTTP does not serve.
    return rejection._tag === "NotFound" && !isActing
      ? mistake(`${rejection.model} is no model of this node`)
      : Effect.fail(new OperationRefused({ model, reason: within(model, rejection) }))
  }

  /** Refuses an operation that names a record, which may be missing. */
  const refuseNamed = (model: string, rejection: Rejection): Effect.Effect<never, NotFound | OperationRefused> =>
    rejection._tag === "NotFound" && rejection.id !== undefined
      ? Effect.fail(new NotFound({ model: rejection.model, id: rejection.id }))
      : refuse(model, rejection)

  /** Reads a record. The only rejection of a read is that the call has ended. */
  const read = <A, E>(codecs: RowCodecs<RowClass>, id: string, none: () => Effect.Effect<A, E>) => {
    const { name } = codecs.descriptor
    const found = access.get(name, id)
    if (Result.isFailure(found)) return Effect.orDie(refuse(name, found.failure))
    return found.success === undefined ? none() : rowOf(codecs, found.success)
  }

  const apply = <E>(
    codecs: RowCodecs<RowClass>,
    operation: Operation,
    refuse: (model: string, rejection: Rejection) => Effect.Effect<never, E>
  ): Effect.Effect<never, E> => {
    const done = access.apply(operation)
    return Result.isSuccess(done) ? rowOf(codecs, done.success.record) : refuse(operation.model, done.failure)
  }

  /** Applies an operation with data. Data that does not fit the schema is refused as the machine would refuse it. */
  const applyData = <E>(
    codecs: RowCodecs<RowClass>,
    encoded: Result.Result<EncodedRecord, ReadonlyArray<FieldError>>,
    operation: (data: EncodedRecord) => Operation,
    refuse: (model: string, rejection: Rejection) => Effect.Effect<never, E>
  ): Effect.Effect<never, E> =>
    Result.isSuccess(encoded)
      ? apply(codecs, operation(encoded.success), refuse)
      : refuse(codecs.descriptor.name, { _tag: "InvalidRequest", errors: encoded.failure })

  const list = (
    codecs: RowCodecs<RowClass>,
    { after, limit, where = {} }: ListOptions<ModelClass>
  ): Effect.Effect<Array<never>> => {
    const { idField, indexedFields, name } = codecs.descriptor
    if (!Number.isInteger(limit) || limit < 1 || limit > listMax) {
      return mistake(`A list of ${name} gives 1 to ${listMax} records, not ${limit}`)
    }
    const fields = Object.keys(where)
    const unknown = fields.find((field) => !codecs.fields.has(field))
    if (unknown !== undefined) return mistake(`Cannot list ${name} by ${unknown}: it has no such field`)
    const missing = fields.find((field) => (where as Record<string, unknown>)[field] === undefined)
    // Not every compiler catches this, and a forgotten value must not match all records.
    if (missing !== undefined) return mistake(`Cannot list ${name} by ${missing}: its value is undefined`)
    if (fields.length > 0 && !fields.some((field) => field === idField || indexedFields.includes(field))) {
      return mistake(`Cannot list ${name} by ${fields.join(", ")}: none of it is the id, unique or indexed`)
    }
    const encoded = Result.all(
      Object.entries(where).map(([field, value]) =>
        Result.map(codecs.encodeField(field, value), (json): [string, Schema.Json] => [field, json])
      )
    )
    // No record has a value that its schema refuses.
    if (Result.isFailure(encoded)) return Effect.succeed([])
    const found = access.list({
      model: name,
      where: Object.fromEntries(encoded.success),
      limit,
      ...(after === undefined ? {} : { afterId: after })
    })
    return Result.isSuccess(found)
      ? Effect.forEach(found.success, (data) => rowOf(codecs, data))
      : Effect.orDie(refuse(name, found.failure))
  }

  return {
    get: (model, id) =>
      at(model, (codecs) => read(codecs, id, () => Effect.fail(new NotFound({ model: codecs.descriptor.name, id })))),
    find: (model, id) => at(model, (codecs) => Effect.map(read(codecs, id, noRow), Option.fromUndefinedOr)),
    list: (model, options) => at(model, (codecs) => list(codecs, options)),
    create: (model, row) =>
      at(model, (codecs) => {
        const { name } = codecs.descriptor
        const operation = (data: EncodedRecord): Operation => ({ _tag: "Create", model: name, data })
        return applyData(codecs, codecs.encodeNew(row), operation, refuse)
      }),
    put: (model, row) =>
      at(model, (codecs) => {
        const { idField, name } = codecs.descriptor
        const operation = (data: EncodedRecord): Operation => {
          const id = data[idField]
          invariant(typeof id === "string", "the encoded id of a record is no text")
          return { _tag: "Put", model: name, id, data }
        }
        return applyData(codecs, codecs.encodeReplicated(row), operation, refuse)
      }),
    patch: (model, id, patch) =>
      at(model, (codecs) => {
        const { name } = codecs.descriptor
        const operation = (data: EncodedRecord): Operation => ({ _tag: "Patch", model: name, id, data })
        return applyData(codecs, codecs.encodePatch(patch), operation, refuseNamed)
      }),
    delete: (model, id) =>
      at(model, (codecs) => apply(codecs, { _tag: "Delete", model: codecs.descriptor.name, id }, refuseNamed)),
    as: (caller) => transactionOver(access.as(caller), call, true),
    newId: Effect.sync(access.newId)
  }
}

const noRow = () => Effect.undefined

/** The error is in a record and not in the payload, so its paths say which model's record it is. */
const within = (model: string, rejection: Rejection): Rejection =>
  rejection._tag === "InvalidRequest"
    ? {
        ...rejection,
        errors: rejection.errors.map(({ message, path }) => ({
          message,
          path: path === "" ? model : `${model}.${path}`
        }))
      }
    : rejection
