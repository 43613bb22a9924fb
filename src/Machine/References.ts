/**
 * Fields that hold the id of another model's record: whether that record exists, and which records a deletion deletes
 * too. Pure. Only `decide` uses it: for `evolve`, cascaded deletions are events like any other.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { Reference } from "../Model/Rules.ts"
import * as FieldIndex from "./FieldIndex.ts"
import { keyOf } from "./OrderKey.ts"
import type { Referrer } from "./Referrers.ts"
import type { Rejection } from "./Rejection.ts"
import type { Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"
import { entryBytesMax, entryEventsMax } from "./Transaction.ts"

/** The name of a record. */
interface Named {
  readonly model: string
  readonly id: string
}

/**
 * The first reference of a record to a missing record, or to one that `isSeen` leaves out. A record may refer to itself.
 */
export const missing = (
  tables: Tables,
  descriptor: Descriptor,
  data: EncodedRecord,
  isSeen: (field: string, target: Named) => boolean = () => true
): Rejection | undefined => {
  for (const { field, model: target } of descriptor.references) {
    const id = FieldIndex.heldBy(data, field)
    if (id === null) continue
    const isThere = tables.byModel.get(target)?.rows.has(String(id)) === true
    if (isThere && isSeen(field, { model: target, id: String(id) })) continue
    if (target === descriptor.name && id === data[descriptor.idField]) continue
    return { _tag: "ReferenceMissing", model: descriptor.name, field, target, id: String(id) }
  }
  return undefined
}

/**
 * The records that a deletion deletes: the named one first, then those that refer to it with `cascade`, and so on. It
 * fails if a record that stays refers to one of them.
 */
export const endingWith = (tables: Tables, deleted: Named): Result.Result<ReadonlyArray<Named>, Rejection> => {
  const unknown = unknownReferrer(tables)
  if (unknown !== undefined) return Result.fail({ _tag: "UpgradeRequired", model: unknown })
  const ending: Array<Named> = [deleted]
  let bytesCount = 0
  const names = new Set([nameOf(deleted)])
  // The loop adds to this list, so it finds the referrers of every record that ends.
  for (const { id, model } of ending) {
    for (const { field, table, ...referrer } of referring(tables, model, "cascade")) {
      for (const found of holders(table, field, id)) {
        const next = { model: referrer.model, id: found }
        if (names.has(nameOf(next))) continue
        if (ending.length === entryEventsMax) {
          return Result.fail({ _tag: "TooLarge", limit: "events", max: entryEventsMax })
        }
        bytesCount += JSON.stringify(table.rows.get(found)?.data ?? null).length
        if (bytesCount > entryBytesMax) return Result.fail({ _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
        names.add(nameOf(next))
        ending.push(next)
      }
    }
  }
  for (const { id, model } of ending) {
    for (const { field, table, ...referrer } of referring(tables, model, "restrict")) {
      for (const found of holders(table, field, id)) {
        const by = { model: referrer.model, field, id: found }
        if (!names.has(nameOf(by))) return Result.fail({ _tag: "Referenced", model, id, by })
      }
    }
  }
  return Result.succeed(ending)
}

/**
 * A model whose references this node's code may not know: its class here is older than the records, or there is none,
 * because another release has added or not yet dropped it. Lithair's own models, with a slash in their names, refer to none.
 */
const unknownReferrer = ({ byModel, descriptors }: Tables): string | undefined => {
  for (const [name, { isEnded, modelVersion, rows }] of byModel) {
    const descriptor = descriptors.get(name)
    const isForeign = descriptor === undefined && rows.size > 0 && !isEnded && !name.includes("/")
    if (isForeign || (descriptor !== undefined && modelVersion > descriptor.version)) return name
  }
  return undefined
}

/** The references to a model, with the tables of the models that have them. */
const referring = (
  tables: Tables,
  model: string,
  onDelete: Reference["onDelete"]
): ReadonlyArray<Referrer & { readonly table: Table }> =>
  (tables.referrers.get(model) ?? []).flatMap((referrer) => {
    const table = tables.byModel.get(referrer.model)
    return table === undefined || referrer.onDelete !== onDelete ? [] : [{ ...referrer, table }]
  })

function* holders(table: Table, field: string, id: string): Generator<string> {
  const index = table.indexes.get(field)
  if (index === undefined) return
  for (const holder of FieldIndex.idsOf(index, keyOf(table.orders.get(field), id), "asc")) {
    // An index of decimals takes "1" and "1.0" for one value, but they are two ids.
    const row = table.rows.get(holder)
    if (row !== undefined && FieldIndex.heldBy(FieldIndex.indexedOf(table, row), field) === id) yield holder
  }
}

const nameOf = ({ id, model }: Named): string => JSON.stringify([model, id])
