/**
 * What the readers of a simulated cluster with rules may see at each entry, by the committed log alone; and whether each
 * committed change of theirs was one that the rules allow. It uses no code of the rules that it judges (RandomRules.ts).
 */
import { idOf } from "../../Access/Caller.ts"
import type { AppliedEntry } from "../../Cluster/Feed.ts"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { Event } from "../../Machine/Event.ts"
import type { EncodedRecord } from "../../Model/EncodedRecord.ts"
import { fail } from "./Failure.ts"
import {
  isAuditor,
  isOfPapers,
  markBegins,
  may,
  type Ruled,
  type RuledModel,
  ruledModels,
  secretBegins
} from "./Papers.ts"
import type { Reader, Sets } from "./RandomRules.ts"

/** The committed log of a cluster. */
interface Committed {
  readonly checks: { readonly committed: ReadonlyArray<LogEntry> }
  readonly decodedOf: (entry: LogEntry) => AppliedEntry
}

/** One version of a record. */
export interface Version {
  readonly index: number
  readonly version: number
  readonly record: EncodedRecord
  readonly isDeleted: boolean
}

/** The committed log, as the judge has read it. */
export interface Truth {
  readonly ruled: Ruled
  /** How many entries it has read. */
  index: number
  /** By model and id: all versions, oldest first. */
  readonly versions: Map<string, Array<Version>>
  readonly members: Map<string, EncodedRecord>
  /** The sets of readers from an entry on, in order. */
  readonly sets: Array<{ readonly index: number; readonly sets: Sets }>
  /** How many changes of readers it has judged. */
  judgedCount: number
}

export const make = (ruled: Ruled): Truth => ({
  ruled,
  index: 0,
  versions: new Map(),
  members: new Map(),
  sets: [{ index: 0, sets: new Map() }],
  judgedCount: 0
})

/** A record by its name. */
export interface Named {
  readonly model: string
  readonly id: string
}

const keyOf = ({ id, model }: Named): string => `${model} ${id}`

/** All versions of a record that ever were. */
export const versionsOf = ({ versions }: Truth, named: Named): ReadonlyArray<Version> =>
  versions.get(keyOf(named)) ?? []

/** The newest version of a record at an entry, deleted or not. */
export const lastAt = (truth: Truth, named: Named, index: number): Version | undefined =>
  versionsOf(truth, named).findLast((each) => each.index <= index)

/** The sets of all readers at an entry. */
export const setsAt = ({ sets }: Truth, index: number): Sets => sets.findLast((each) => each.index <= index)!.sets

/** Whether a reader may read a record, by its rights at an entry. */
export const isSeen = (
  truth: Truth,
  reader: Reader,
  { index, model, record }: { readonly model: RuledModel; readonly record: EncodedRecord; readonly index: number }
): boolean => may(truth.ruled, "read", reader, { model, record, sets: setsAt(truth, index) })

/** Whether a reader could read a record at some entry of a range. */
export const wasSeen = (
  truth: Truth,
  reader: Reader,
  { fromIndex, id, model, toIndex }: Named & { readonly fromIndex: number; readonly toIndex: number }
): boolean => {
  if (!isRuled(model)) return false
  for (let index = Math.max(0, fromIndex); index <= toIndex; index++) {
    const last = lastAt(truth, { model, id }, index)
    if (last !== undefined && !last.isDeleted && isSeen(truth, reader, { model, record: last.record, index }))
      return true
  }
  return false
}

/** Whether a record was, at some entry of a range, one that the reader could not read or that did not exist. */
export const wasUnseen = (
  truth: Truth,
  reader: Reader,
  { fromIndex, id, model, toIndex }: Named & { readonly fromIndex: number; readonly toIndex: number }
): boolean => {
  for (let index = Math.max(0, fromIndex); index <= toIndex; index++) {
    if (!wasSeen(truth, reader, { model, id, fromIndex: index, toIndex: index })) return true
  }
  return false
}

export const isRuled = (model: string): model is RuledModel => ruledModels.some((each) => each === model)

/** The records of a model that a reader may read at an entry, by id. */
export const seenAt = (
  truth: Truth,
  reader: Reader,
  model: RuledModel,
  index: number
): ReadonlyMap<string, Version> => {
  const seen = new Map<string, Version>()
  const begins = `${model} `
  for (const [key, versions] of truth.versions) {
    if (!key.startsWith(begins)) continue
    const last = versions.findLast((each) => each.index <= index)
    if (last === undefined || last.isDeleted || !isSeen(truth, reader, { model, record: last.record, index })) continue
    seen.set(key.slice(begins.length), last)
  }
  return seen
}

/** Whether a reader could read some record of a model at every entry of a range. */
export const alwaysSawSome = (
  truth: Truth,
  reader: Reader,
  model: RuledModel,
  { fromIndex, toIndex }: { readonly fromIndex: number; readonly toIndex: number }
): boolean => {
  for (let index = Math.max(0, fromIndex); index <= toIndex; index++) {
    if (seenAt(truth, reader, model, index).size === 0) return false
  }
  return true
}

/** Reads the entries that were committed since. */
export const catchUp = (truth: Truth, { checks, decodedOf }: Committed): void => {
  while (truth.index < checks.committed.length) take(truth, decodedOf(checks.committed[truth.index]!))
}

const take = (truth: Truth, { index, transaction }: AppliedEntry): void => {
  if (index !== truth.index + 1) fail(`the judge of rules has read ${truth.index} entries, and is given entry ${index}`)
  truth.index = index
  const events = transaction?.events.filter(isOfPapers) ?? []
  if (transaction === undefined || events.length === 0) return
  const writer = writerOf(truth.ruled, transaction.principal)
  for (const event of events) {
    if (writer !== undefined) judge(truth, writer, event, index)
    note(truth, event, index)
  }
}

/** Who wrote an entry; undefined for the application itself. */
const writerOf = ({ readers }: Ruled, principal: string | undefined): Reader | undefined =>
  readers.find((reader) => idOf(reader) === principal)

const note = (truth: Truth, event: Event, index: number): void => {
  const { data: record, id, model, type, version } = event
  const isDeleted = type === "deleted"
  if (model !== "Membership") {
    const key = keyOf(event)
    const versions = truth.versions.get(key) ?? []
    versions.push({ index, version, record, isDeleted })
    truth.versions.set(key, versions)
    return
  }
  if (isDeleted) truth.members.delete(id)
  else truth.members.set(id, record)
  const sets = new Map<string, ReadonlyArray<string>>()
  for (const { team, userId } of truth.members.values()) {
    sets.set(`${userId}`, [...(sets.get(`${userId}`) ?? []), `${team}`])
  }
  truth.sets.push({ index, sets })
}

/** Whether the rules let a reader make a change, on the records just before it. */
const judge = (truth: Truth, writer: Reader, event: Event, index: number): void => {
  const { data: record, id, model, type } = event
  const what = `entry ${index}: ${idOf(writer) ?? "nobody"} ${type} ${model} ${id}`
  if (!isRuled(model)) fail(`${what}, which clients do not know`)
  truth.judgedCount++
  const sets = setsAt(truth, index)
  const before = lastAt(truth, event, index)
  const allow = (action: "read" | "create" | "update" | "delete", of: EncodedRecord): void => {
    if (!may(truth.ruled, action, writer, { model, record: of, sets }))
      fail(`${what}, and its rule to ${action} says no`)
  }
  switch (type) {
    case "created":
      allow("create", record)
      if (record.ownerId !== (idOf(writer) ?? null)) fail(`${what}, for another owner`)
      keeps(what, writer, { mark: markBegins, secret: secretBegins }, event)
      break
    case "updated":
      allow("read", before!.record)
      allow("update", before!.record)
      allow("update", record)
      if (record.ownerId !== before!.record.ownerId) fail(`${what}, and gives it another owner`)
      keeps(what, writer, before!.record, event)
      break
    case "deleted":
      // What goes with another record need not be readable, but the caller must be allowed to delete it.
      if (event.cascaded !== true) allow("read", before!.record)
      allow("delete", before!.record)
      return
  }
  for (const field of ["paperId", "seeId"]) {
    const named = record[field]
    if (typeof named !== "string" || named === before?.record[field]) continue
    const target = lastAt(truth, { model: "Paper", id: named }, index)
    const isKnown = target !== undefined && !target.isDeleted
    if (!isKnown || !may(truth.ruled, "read", writer, { model: "Paper", record: target.record, sets })) {
      fail(`${what}, with a reference to ${named}, which it may not read`)
    }
  }
}

/** A writer changes no field that it does not see. */
const keeps = (what: string, writer: Reader, before: EncodedRecord, { data, model }: Event): void => {
  if (model !== "Paper") return
  if (data.secret !== before.secret) fail(`${what}, with a hidden field`)
  if (data.mark !== before.mark && !isAuditor(writer)) fail(`${what}, with a masked field`)
}
