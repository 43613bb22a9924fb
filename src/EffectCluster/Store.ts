/**
 * The way from Effect Cluster's storages to the log of this node: commands, linearizable reads, and the rows of the
 * applied state. It rides out elections: its callers take a failure for the end of a request.
 */
import { Clock, Effect, Option, Result, Schedule } from "effect"
import { ClusterError } from "effect/cluster"
import { system } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { type Any, decodeError } from "../Command/Declaration.ts"
import { sentBy } from "../Machine/Command.ts"
import * as FieldIndex from "../Machine/FieldIndex.ts"
import * as IdSet from "../Machine/IdSet.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Row } from "../Machine/Table.ts"
import { type Described, describe } from "../Model/Class.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { Refused } from "../Repository/Changed.ts"

/** A record, with the entry that created it. */
export interface Found<A> {
  readonly record: A
  readonly createdIndex: number
}

export interface Store {
  /**
   * Has the leader do a command, and waits until this node has applied it. Repeats it after an unknown outcome, under the
   * key of the attempt: so it is done once, and has its own answer, also if others changed the same records meanwhile.
   */
  readonly call: <C extends Any>(
    command: C,
    payload: C["payload"]["Type"]
  ) => Effect.Effect<C["success"]["Type"], ClusterError.PersistenceError>
  /** Reads the applied state once it is linearizable for a read that begins now. */
  readonly read: <A>(state: () => A) => Effect.Effect<A, ClusterError.PersistenceError>
  /** A record of the applied state. */
  readonly get: <M extends Described & { readonly Type: object }>(model: M, id: string) => Found<M["Type"]> | undefined
  /** The records whose indexed field has a value, in the order of their ids, one by one. */
  readonly each: <M extends Described & { readonly Type: object }>(
    model: M,
    field: string,
    value: string
  ) => Iterable<Found<M["Type"]>>
  /** All of {@link each}. */
  readonly list: <M extends Described & { readonly Type: object }>(
    model: M,
    field: string,
    value: string
  ) => ReadonlyArray<Found<M["Type"]>>
  /** All records of a model. */
  readonly all: <M extends Described & { readonly Type: object }>(model: M) => ReadonlyArray<Found<M["Type"]>>
  /** The records whose indexed field has a number of at least `low`, the lowest number first. */
  readonly from: <M extends Described & { readonly Type: object }>(
    model: M,
    field: string,
    low: number
  ) => Iterable<Found<M["Type"]>>
  /** How many records a model has. */
  readonly count: (model: Described) => number
  /** The age of the log, as the last applied entry has it. */
  readonly logAgeMs: () => number
}

/** How long an act is tried again while the cluster has no leader or too much to do. */
const patienceMs = 30_000
const pauses = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("500 millis")])

/** The error that a command declares, or why the machine refused it. */
const refusalOf = (command: Any, rejection: Rejection): Refused | { readonly _tag: string } => {
  const declared = rejection._tag === "Declared" ? decodeError(command.errors, rejection.error) : Option.none()
  return Option.getOrElse(declared, () => new Refused({ rejection }))
}

type Failure = { readonly _tag: string } | Refused | NotDone | UnknownOutcome

/** Whether the same request may succeed later. A node that stops or was removed takes no more. */
const mayPass = (failure: Failure): boolean => {
  if (failure instanceof UnknownOutcome) return true
  if (failure instanceof Refused) return failure.rejection._tag === "UpgradePending"
  if (!(failure instanceof NotDone)) return false
  return failure.reason !== "draining" && failure.reason !== "removed" && failure.reason !== "upgrade-required"
}

const patiently = <A, E extends Failure>(attempt: Effect.Effect<A, E>) =>
  Effect.flatMap(Clock.currentTimeMillis, (beganMs) =>
    Effect.retry(attempt, {
      schedule: pauses,
      while: (failure) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => mayPass(failure) && nowMs - beganMs < patienceMs)
    })
  )

/** Makes the way to the log of this node. */
export const make: Effect.Effect<Store, never, Member> = Effect.gen(function* () {
  const member = yield* Member

  const tableOf = (model: Described) => member.tables.byModel.get(describe(model).name)
  const shown = (model: Described, row: Row): Found<never> => {
    // This code wrote the record, so it has the shape.
    const { shown } = Result.getOrThrow(describe(model).read.record(row))
    return { record: shown as never, createdIndex: row.createdIndex }
  }
  const rowsOf = (model: Described, ids: Iterable<string>): Array<Found<never>> => {
    const rows = tableOf(model)?.rows
    return Array.from(ids, (id) => rows?.get(id)).flatMap((row) => (row === undefined ? [] : [shown(model, row)]))
  }

  const each = function* (model: Described, field: string, value: string): Generator<Found<never>> {
    const index = tableOf(model)?.indexes.get(field)
    if (index === undefined) return
    for (const id of FieldIndex.idsOf(index, value, "asc")) yield* rowsOf(model, [id])
  }

  return {
    call: (command, payload) => {
      const asked = { _tag: "Call", name: command.name, payload } as const
      return Effect.suspend(() => {
        let under: { readonly key?: string } = {}
        return Effect.suspend(() =>
          member.submit(sentBy(system, { ...asked, ...under }, member.policy !== undefined))
        ).pipe(
          Effect.tapError((failure) =>
            Effect.sync(() => {
              if (failure instanceof UnknownOutcome && failure.key !== undefined) under = { key: failure.key }
            })
          ),
          Effect.flatMap(({ index, result }) =>
            result._tag === "Accepted"
              ? Effect.as(member.feed.applied(index), result.answer.value as never)
              : Effect.fail(refusalOf(command, result.rejection))
          ),
          patiently,
          ClusterError.PersistenceError.refail
        )
      })
    },
    read: (state) => Effect.map(member.readIndex.pipe(patiently, ClusterError.PersistenceError.refail), state),
    get: (model, id) => {
      const row = tableOf(model)?.rows.get(id)
      return row === undefined ? undefined : shown(model, row)
    },
    each,
    list: (model, field, value) => [...each(model, field, value)],
    all: (model) => Array.from(tableOf(model)?.rows.values() ?? [], (row) => shown(model, row)),
    from: function* (model, field, low) {
      // A clone costs the same at any size, and does not change under this walk.
      const index = tableOf(model)?.indexes.get(field)?.clone()
      for (const [value, ids] of index?.entries(low) ?? []) {
        if (typeof value !== "number") return
        yield* rowsOf(model, IdSet.walk(ids, "asc"))
      }
    },
    count: (model) => tableOf(model)?.rows.size ?? 0,
    logAgeMs: () => member.tables.logAgeMs
  }
})
