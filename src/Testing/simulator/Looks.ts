/**
 * Single reads of the readers of a simulated cluster with rules: a record with its version, by which its entity tag is
 * made, a list with its count, and the past. Each must be what the judge says at the entry that the node has applied.
 */
import { Effect, Exit, Result } from "effect"
import { idOf } from "../../Access/Caller.ts"
import { type ListRequest, list } from "../../Machine/List.ts"
import { showRow, unreadable } from "../../Machine/ReadRow.ts"
import { errorsOfAsked, unseenBy } from "../../Machine/Seen.ts"
import * as Tables from "../../Machine/Tables.ts"
import type { EncodedRecord } from "../../Model/EncodedRecord.ts"
import { shown } from "../../Repository/Changed.ts"
import { readReach } from "../../Repository/Reading.ts"
import * as Sighted from "../../Repository/Sighted.ts"
import { fail } from "./Failure.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import { isAuditor, type RuledModel, shownTo } from "./Papers.ts"
import type { Reader } from "./RandomRules.ts"
import { judging, oldestIndex, servedBy, sourceOf } from "./Served.ts"
import type { Sight } from "./SightState.ts"
import * as Truth from "./SightTruth.ts"
import type { World } from "./World.ts"

/** What a reader looks at. */
export interface Look {
  readonly model: RuledModel
  readonly id: string
  readonly list: Pick<ListRequest, "filters" | "orderBy" | "limit">
}

/** Where somebody looks: the reader, and the entry that the node has applied. */
interface Here {
  readonly sight: Sight
  readonly reader: Reader
  readonly life: Life
  readonly what: string
}

export const textOf = (record: EncodedRecord): string =>
  JSON.stringify(Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1)))

/** A reader looks at a record, its past, and a list of its model. */
export const look = (
  world: World,
  sight: Sight,
  { life, node, reader }: { readonly node: SimulatedNode; readonly life: Life; readonly reader: Reader },
  asked: Look
): void => {
  Truth.catchUp(sight.truth, world)
  sight.counts.looks++
  const what = `${idOf(reader) ?? "nobody"} at ${node.id}, entry ${life.appliedIndex}`
  const here = { sight, reader, life, what }
  lookAtOne(here, asked)
  lookAtList(here, asked)
  lookBack(world, node, here, asked)
}

const same = (what: string, found: string | undefined, expected: string | undefined): void => {
  if (found !== expected) fail(`${what} is shown ${found}, and not ${expected}`)
}

/** The text of a record as a reader must see it, with its version. */
const seenText = (reader: Reader, version: number, record: EncodedRecord): string =>
  `${version} ${textOf(shownTo(reader, record))}`

const lookAtOne = ({ life, reader, sight, what }: Here, { id, model }: Look): void => {
  const { ruled } = sight.truth
  const descriptor = ruled.byName[model]
  const expected = Truth.seenAt(sight.truth, reader, model, life.appliedIndex).get(id)
  const reach = readReach(judging(ruled, life), reader, descriptor)
  const row = Tables.get(life.machine.applied, model, id)
  const found =
    row === undefined
      ? Result.succeed(undefined)
      : Result.mapBoth(showRow(descriptor, row), {
          onFailure: unreadable({ model, id }),
          onSuccess: (record) => shown(descriptor, record, row.version, undefined)
        })
  const seen = Result.isFailure(reach)
    ? undefined
    : Result.getOrUndefined(
        Sighted.seenRecord({ policy: ruled.policy, caller: reader, descriptor, reach: reach.success }, id, found)
      )
  same(
    `${what}: ${model} ${id}`,
    seen === undefined ? undefined : `${seen.version} ${textOf(seen.record)}`,
    expected === undefined ? undefined : seenText(reader, expected.version, expected.record)
  )
}

const byFields = (orderBy: ListRequest["orderBy"]) => (left: EncodedRecord, right: EncodedRecord) => {
  for (const { direction, field } of orderBy) {
    const [one, other] = [left[field] as string | number, right[field] as string | number]
    if (one !== other) return one < other === (direction === "asc") ? -1 : 1
  }
  return 0
}

/** The records of a page as the judge lists them, and how many there are on all pages. */
export const listedBy = (
  { truth }: Sight,
  reader: Reader,
  { index, list, model }: { readonly model: RuledModel; readonly index: number; readonly list: Look["list"] }
): { readonly items: ReadonlyArray<Truth.Version>; readonly total: number } => {
  const { filters, limit, orderBy } = list
  const meets = (record: EncodedRecord) =>
    filters.every((filter) => filter._tag === "In" && filter.operands.includes(record[filter.field] ?? null))
  const inOrder = byFields(orderBy)
  const all = [...Truth.seenAt(truth, reader, model, index).values()]
    .filter(({ record }) => meets(record))
    .sort((left, right) => inOrder(left.record, right.record))
  return { items: all.slice(0, limit), total: all.length }
}

const lookAtList = ({ life, reader, sight, what }: Here, { list: asked, model }: Look): void => {
  const { ruled } = sight.truth
  const descriptor = ruled.byName[model]
  const expected = listedBy(sight, reader, { model, index: life.appliedIndex, list: asked })
  const reach = readReach(judging(ruled, life), reader, descriptor)
  if (Result.isFailure(reach)) {
    // Who may read no record at all is told so, and there is none.
    if (expected.total > 0) fail(`${what} may list no ${model}, and may read ${expected.total}`)
    return
  }
  const source = Sighted.seenSource(
    { policy: ruled.policy, caller: reader, descriptor, reach: reach.success },
    sourceOf(life, descriptor)
  )
  const byMark = errorsOfAsked(source.unseen, { filters: [{ field: "mark" }], orderBy: [], select: [] })
  if (model === "Paper" && (byMark.length === 0) !== isAuditor(reader)) fail(`${what} lists papers by their marks`)
  const found = list(source, { ...asked, after: undefined, countsTotal: true })
  if (Result.isFailure(found)) fail(`${what}: ${model} ${found.failure.id} cannot be read`)
  const { lastKey, rows, total } = found.success
  const unseen = unseenBy(ruled.policy, reader, descriptor)
  const texts = rows.map(({ record, row }) => `${row.version} ${textOf(withoutAll(unseen, record))}`)
  const expectedTexts = expected.items.map(({ record, version }) => seenText(reader, version, record))
  same(`${what}: the list of ${model}`, texts.join(), expectedTexts.join())
  same(`${what}: the count of ${model}`, `${total}`, `${expected.total}`)
  same(`${what}: the next page of ${model}`, `${lastKey !== undefined}`, `${expected.total > expected.items.length}`)
}

const withoutAll = (unseen: ReadonlyArray<string>, record: EncodedRecord): EncodedRecord =>
  Object.fromEntries(Object.entries(record).filter(([field]) => !unseen.includes(field)))

/** The past shows versions that the reader may read, if it may read the newest one. Some may be compacted away here. */
const lookBack = (
  world: World,
  node: SimulatedNode,
  { life, reader, sight, what }: Here,
  { id, model }: Look
): void => {
  const { truth } = sight
  const { pasts } = servedBy(world, sight, node, life)
  const descriptor = truth.ruled.byName[model]
  const index = life.appliedIndex
  const all = Truth.versionsOf(truth, { model, id }).filter((each) => each.index <= index)
  const isSeen = ({ record }: Truth.Version) => Truth.isSeen(truth, reader, { model, record, index })
  const newest = all.at(-1)
  const readable = newest !== undefined && isSeen(newest) ? all.filter(isSeen) : []
  const texts = new Map(readable.map(({ record, version }) => [version, textOf(shownTo(reader, record))]))

  const history = Effect.runSyncExit(
    pasts.history(reader, descriptor, id, { place: { afterVersion: 0 }, limit: 1_000 })
  )
  const page = Exit.isSuccess(history) ? history.value.value : undefined
  for (const { record, version } of page?.items ?? []) {
    same(`${what}: version ${version} of ${model} ${id} in its history`, textOf(record ?? {}), texts.get(version))
  }
  const isWhole = page?.isComplete === true && page.next === undefined
  if (isWhole && page.items.length !== all.length) {
    fail(`${what}: the history of ${model} ${id} says that it has all ${page.items.length} of ${all.length} versions`)
  }
  const isHeld = newest !== undefined && newest.index >= oldestIndex(node, life)
  if (page === undefined && Exit.isSuccess(history) && isHeld && readable.length > 0) {
    fail(`${what} is shown no history of ${model} ${id}`)
  }
  for (const { isDeleted, version } of all.slice(-3)) {
    const then = Effect.runSyncExit(pasts.past(reader, descriptor, id, { version }))
    const past = Exit.isSuccess(then) ? then.value.value : undefined
    if (past !== undefined) {
      same(
        `${what}: ${model} ${id} at version ${version}`,
        textOf(past.record),
        isDeleted ? undefined : texts.get(version)
      )
    }
  }
}
