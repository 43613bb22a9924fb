import { assert } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { Circumstances } from "../../src/Machine/Circumstances.ts"
import type { Command } from "../../src/Machine/Command.ts"
import type { Decision } from "../../src/Machine/Decision.ts"
import type { FieldIndex } from "../../src/Machine/FieldIndex.ts"
import { type Formats, ofRelease } from "../../src/Machine/Format.ts"
import * as IdSet from "../../src/Machine/IdSet.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { OrderValue } from "../../src/Machine/Order.ts"
import * as Procedure from "../../src/Machine/Procedure.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import type { Tables } from "../../src/Machine/Tables.ts"
import type { Entry } from "../../src/Machine/Transaction.ts"
import * as Transaction from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"

export class User extends Model.Class<User>("User")(
  {
    id: Model.id(Schema.String),
    email: Model.replicate(Schema.NonEmptyString),
    tags: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
    note: Model.local(Schema.String)
  },
  { unique: ["email"] }
) {}

export class Product extends Model.Class<Product>("Product")(
  { id: Model.id(Schema.String), price: Schema.Finite, category: Schema.optionalKey(Schema.String) },
  { mode: "replicate" }
) {}

export const descriptors = [Model.describe(User), Model.describe(Product)]

/** The leader applies what it decided, and followers what they decode: these must be the same (D2). */
export const assertDecodesToItself = ({ payload, transaction }: Entry): void =>
  assert.deepStrictEqual(Result.getOrThrow(Transaction.decode(payload)), transaction)

/** A decision as tests read it: the result, with the entry if it is one. */
export type Played = Decision["result"] & { readonly entry?: Entry }

export const playedOf = ({ entry, result }: Decision): Played => (entry === undefined ? result : { ...result, entry })

/** Whether a command was accepted without an entry. */
export const isUnchanged = ({ _tag, entry }: Played): boolean => _tag === "Accepted" && entry === undefined

/** A machine that leads alone: everything decided commits at once, and every entry is kept. Its clocks stand at the index unless told. */
export const leader = (
  procedures: Procedure.Procedures = Procedure.none,
  models: ReadonlyArray<Model.Descriptor> = descriptors,
  formats: Formats = ofRelease
) => {
  const machine = Machine.make(models, procedures, undefined, undefined, formats)
  Machine.beginSpeculation(machine)
  const entries: Array<{ readonly index: number; readonly payload: Uint8Array }> = []
  let ids = 0
  const submit = (
    command: Command,
    { monotonicMs, ...circumstances }: Partial<Circumstances & { readonly monotonicMs: number }> = {}
  ) => {
    const index = machine.applied.index + 1
    Machine.passTime(machine, monotonicMs ?? index)
    const decision = Machine.decideNext(machine, command, {
      index,
      nowMs: index,
      newId: () => `id${++ids}`,
      ...circumstances
    })
    const entry = decision.entry
    if (entry !== undefined) {
      entries.push({ index, payload: entry.payload })
      assertDecodesToItself(entry)
      Machine.apply(machine, { index, payload: entry.payload })
    }
    return playedOf(decision)
  }
  return { machine, entries, submit }
}

/** The hash of what tables hold, also of speculative ones, which keep none. */
export const contentHash = (tables: Tables): string => StateHash.toHex(StateContent.hashOf(tables))

/** An index as pairs of a value and its ids, in order. */
export const contentOfIndex = (index: FieldIndex): ReadonlyArray<readonly [OrderValue, ReadonlyArray<string>]> =>
  Array.from(index.entries(), ([value, ids]) => [value, Array.from(IdSet.walk(ids, "asc"))])
