/**
 * The fields of a record that a reader sees: neither hidden ones, nor masked ones without their role. Pure. The
 * application's own code sees every field. docs/access.md, "Fields".
 */
import { type Caller, hasRole } from "../Access/Caller.ts"
import type { Policy } from "../Access/Policy.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldError } from "../Model/FieldError.ts"

/** Names of fields. */
export type Fields = ReadonlyArray<string>

const none: Fields = []

/** The fields of a model that a caller does not see. Masks hold where rules do. */
export const unseenBy = (
  policy: Policy | undefined,
  caller: Caller,
  { guarded }: Pick<Descriptor, "guarded">
): Fields => {
  if (guarded === undefined || caller._tag === "System") return none
  const masked = policy === undefined ? none : maskedFor(caller, guarded.masked)
  return masked.length === 0 ? guarded.hidden : [...guarded.hidden, ...masked]
}

/** The masked fields whose roles the caller has none of. */
export const maskedFor = (caller: Caller, masked: Readonly<Record<string, ReadonlyArray<string>>>): Fields => {
  const names = Object.keys(masked)
  return names.length === 0 ? none : names.filter((field) => !masked[field]!.some((role) => hasRole(caller, role)))
}

/** The record without these fields. */
export const without = (unseen: Fields, record: EncodedRecord): EncodedRecord =>
  unseen.length === 0 ? record : Object.fromEntries(Object.entries(record).filter(([field]) => !unseen.includes(field)))

/** What is wrong with a list that filters, orders or selects by fields that its reader does not see. */
export const errorsOfAsked = (
  unseen: Fields | undefined,
  {
    filters,
    orderBy,
    select = none
  }: {
    readonly filters: ReadonlyArray<{ readonly field: string }>
    readonly orderBy: ReadonlyArray<{ readonly field: string }>
    readonly select?: Fields | undefined
  }
): ReadonlyArray<FieldError> => {
  if (unseen === undefined || unseen.length === 0) return []
  const wrong = (path: string, fields: Fields): ReadonlyArray<FieldError> =>
    fields.flatMap((field) =>
      unseen.includes(field) ? [{ path: path === "" ? field : path, message: `${field} is not shown to you` }] : []
    )
  return [
    ...wrong(
      "",
      filters.map(({ field }) => field)
    ),
    ...wrong(
      "order",
      orderBy.map(({ field }) => field)
    ),
    ...wrong("select", select)
  ]
}
