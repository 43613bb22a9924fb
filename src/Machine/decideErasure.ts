/**
 * Decides an erasure: like a deletion, with the references to the record, and it names every record and every remembered
 * outcome whose data goes with it. Pure. Rules that keep clients from deleting do not bind an operator who must erase;
 * references do. Erasure.ts has what follows from it.
 */
import { Result } from "effect"
import type { Erase } from "./Command.ts"
import { known } from "./decideOperation.ts"
import * as Erasure from "./Erasure.ts"
import type { Event } from "./Event.ts"
import * as Format from "./Format.ts"
import * as References from "./References.ts"
import type { Rejection } from "./Rejection.ts"
import { nextVersion } from "./Restored.ts"
import type { Tables } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

type Decided = Result.Result<Pick<Transaction, "events" | "erased" | "erasedOutcomes"> | undefined, Rejection>

/** The erasing part of the entry; undefined if the record was erased before and nothing came after that. */
export const decideErasure = (tables: Tables, { id, model }: Erase): Decided => {
  if (!Format.isFormatActive(tables, Format.erasing)) return Result.fail({ _tag: "UpgradePending", model })
  return Result.flatMap(known(tables, model), ({ table }): Decided => {
    if (table.rows.has(id)) {
      return Result.map(References.endingWith(tables, { model, id }), (ending) =>
        erasing(tables, ending, ending.map((named, position) => endOf(tables, named, position > 0)).toReversed())
      )
    }
    const tombstone = table.tombstones.get(id)
    const erasedAt = table.erasures.get(id) ?? 0
    if (erasedAt > 0 && erasedAt >= (tombstone?.index ?? 0)) return Result.succeed(undefined)
    // Once tombstones were evicted, nobody knows which ids there were. To erase one that never was does no harm.
    const maybeWas = tombstone !== undefined || table.versionFloor > 0
    return maybeWas
      ? Result.succeed(erasing(tables, [{ model, id }], []))
      : Result.fail({ _tag: "NotFound", model, id })
  })
}

const erasing = (tables: Tables, erased: ReadonlyArray<Erasure.Named>, events: ReadonlyArray<Event>) => {
  const erasedOutcomes = Erasure.outcomesOf(tables, erased)
  return { events, erased, ...(erasedOutcomes.length === 0 ? {} : { erasedOutcomes }) }
}

/** The event that deletes a record without telling its data. */
const endOf = (tables: Tables, { id, model }: Erasure.Named, isCascaded: boolean): Event => {
  const row = tables.byModel.get(model)!.rows.get(id)!
  return {
    type: "deleted",
    model,
    modelVersion: row.modelVersion,
    id,
    version: nextVersion(tables, row.version),
    previousIndex: row.index,
    data: Erasure.nothing,
    ...(isCascaded ? { cascaded: true } : {}),
    erased: true
  }
}
