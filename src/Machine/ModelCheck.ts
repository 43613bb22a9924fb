/**
 * Checks stored records against the models of this release: every record can be read, unique values are unique, and
 * references name records. Pure; it pauses after each record. docs/evolution.md.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { isPending } from "./decideOperation.ts"
import * as FieldIndex from "./FieldIndex.ts"
import { storedPart } from "./LocalPart.ts"
import { storedVersions } from "./Rows.ts"
import type { Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"

/** The models of which this release has a newer version than is active. A model without a record has no active version. */
export const pendingOf = (tables: Tables, models: ReadonlyArray<Descriptor>): ReadonlyArray<Descriptor> =>
  models.filter((model) => isPending(tables, model))

/** A thing that is wrong with records of a model, how many have it, and the id of the first. */
export interface Finding {
  readonly kind: "unreadable" | "duplicate" | "dangling" | "rule"
  /** The dotted path of a field; empty for the record as a whole. */
  readonly path: string
  readonly message: string
  readonly count: number
  readonly firstId: string
}

/** The records of one model, as this release reads them. */
export interface ModelReport {
  readonly model: string
  /** The version of this release. */
  readonly version: number
  /** By version, how many records are stored in it. */
  readonly stored: ReadonlyMap<number, number>
  readonly findings: ReadonlyArray<Finding>
  /** By name, how many records store a field that this release does not read. */
  readonly hidden: ReadonlyMap<string, number>
}

/** The limit on different findings of one model. Each is counted over all records. */
const findingsMax = 50

/** Checks the records of one model. The tables must not change meanwhile: pass a clone. */
export function* checkModel(tables: Tables, descriptor: Descriptor): Generator<undefined, ModelReport> {
  const { name: model, version } = descriptor
  const hidden = new Map<string, number>()
  const findings = new Map<string, { -readonly [K in keyof Finding]: Finding[K] }>()
  const find = (kind: Finding["kind"], path: string, message: string, id: string): void => {
    const name = JSON.stringify([kind, path, message])
    const known = findings.get(name)
    if (known !== undefined) known.count += 1
    else if (findings.size < findingsMax) findings.set(name, { kind, path, message, count: 1, firstId: id })
  }
  const table = tables.byModel.get(model)
  const stored = storedVersions(table)
  for (const [id, row] of table?.rows.entries() ?? []) {
    yield
    const read = descriptor.read.recordWhole(row)
    if (Result.isFailure(read)) {
      for (const { message, path } of read.failure) find("unreadable", path, message, id)
      for (const field of Object.keys(row.data)) if (!Object.hasOwn(descriptor.fields, field)) add(hidden, field)
      continue
    }
    const { kept, shown } = read.success
    for (const field of Object.keys(kept)) if (!Object.hasOwn(shown, field)) add(hidden, field)
    for (const field of descriptor.uniqueFields) {
      if (isDuplicate(table!, field, id, shown)) find("duplicate", field, "has a value that another record has", id)
    }
    for (const { field, model: target } of descriptor.references) {
      if (!isThere(tables, target, shown, field)) find("dangling", field, `names a ${target} that is not there`, id)
    }
    const broken = descriptor.brokenRule(shown)
    if (broken !== undefined) find("rule", "", `breaks the rule ${broken.rule}`, id)
  }
  for (const [id, part] of table?.localParts.entries() ?? []) {
    yield
    const read = descriptor.read.localPart(storedPart(part))
    if (Result.isSuccess(read)) continue
    for (const { message, path } of read.failure) find("unreadable", path, message, id)
  }
  return { model, version, stored, hidden, findings: [...findings.values()] }
}

const add = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1)

/** Whether an earlier record, by its id, has the value: the first of several is none of the others' duplicates. */
const isDuplicate = (table: Table, field: string, id: string, shown: EncodedRecord): boolean => {
  const holder = FieldIndex.holder(table, field, FieldIndex.valueOf(table, shown, field))
  return holder !== undefined && holder !== id
}

const isThere = (tables: Tables, target: string, shown: EncodedRecord, field: string): boolean => {
  const id = FieldIndex.heldBy(shown, field)
  return id === null || tables.byModel.get(target)?.rows.has(String(id)) === true
}

/**
 * Whether a node may serve the model. A record that it cannot read forbids it. So does a duplicate or a dangling
 * reference where the release brings a new version: stored records must then be made right by its steps. A rule binds
 * only later writes.
 */
export const isFit = ({ findings, stored, version }: ModelReport): boolean => {
  const isNew = [...stored.keys()].some((each) => each < version)
  return findings.every(({ kind }) => kind === "rule" || (kind !== "unreadable" && !isNew))
}

/** Says in a few lines what is wrong with the records of a model, and what to write. */
export const describeReport = ({ findings, hidden, model, stored, version }: ModelReport): string => {
  const versions = [...stored.entries()]
    .sort(([left], [right]) => left - right)
    .map(([each, count]) => `v${each} (${counted(count)} records)`)
    .join(", ")
  const lines = findings.map((finding): [string, string] => [`  ${sign(finding)} ${place(finding.path)}`, say(finding)])
  const isUnreadable = findings.some(({ kind }) => kind === "unreadable")
  const left = isUnreadable
    ? Array.from(hidden, ([field, count]): [string, string] => [
        `  - ${field}`,
        `stored in ${counted(count)}  → .drop("${field}") or .rename("${field}", …)`
      ])
    : []
  const width = Math.max(0, ...[...lines, ...left].map(([head]) => head.length))
  const told = [...lines, ...left].map(([head, rest]) => `${head.padEnd(width)}  ${rest}`)
  return [`${model}: stored ${versions}, code v${version}`, ...told].join("\n")
}

const counted = (count: number): string => count.toLocaleString("en")

const place = (path: string): string => (path === "" ? "the record" : path)

/** A field that is missing is to be added. */
const isMissing = ({ kind, message }: Finding): boolean => kind === "unreadable" && message === "Missing key"

const sign = (finding: Finding): string => (isMissing(finding) ? "+" : "!")

const say = (finding: Finding): string => {
  const { count, firstId, message, path } = finding
  return isMissing(finding)
    ? `required, absent in ${counted(count)}  → .add("${path}", …) or a default in the schema`
    : `${message}: ${counted(count)}, first ${firstId}${finding.kind === "unreadable" ? "  → .map(…)" : ""}`
}
