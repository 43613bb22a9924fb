/** The fields of a model that not every author sets or sees: the owner, fields of commands, hidden and masked ones. Pure. */
import type * as Schema from "effect/Schema"
import { invariant } from "../Invariant.ts"
import type { Field } from "./Field.ts"

/** The fields of one model. */
export interface GuardedFields {
  /** It holds the id of the principal who created the record. */
  readonly owner: string | undefined
  /** Only commands change them. */
  readonly commandOnly: ReadonlyArray<string>
  /** HTTP never shows or takes them. */
  readonly hidden: ReadonlyArray<string>
  /** By field: the roles of those who see it. Others neither see nor set it. */
  readonly masked: Readonly<Record<string, ReadonlyArray<string>>>
  /** Their values in a new record, if nobody gives one. */
  readonly initial: Readonly<Record<string, Schema.Json>>
}

/** The guarded fields of a declaration; undefined if there are none. */
export const guardedOf = (
  model: string,
  fields: { readonly [name: string]: Field },
  encode: (field: string, value: unknown) => Schema.Json
): GuardedFields | undefined => {
  const marked = Object.entries(fields).flatMap(([name, field]) => {
    const guard = field["~lithair/guard"]
    return guard === undefined ? [] : [{ name, guard }]
  })
  if (marked.length === 0) return undefined
  const named = (kind: (typeof marked)[number]["guard"]["kind"]) =>
    marked.filter(({ guard }) => guard.kind === kind).map(({ name }) => name)
  const owners = named("owner")
  invariant(owners.length <= 1, `Model "${model}" has more than one Model.owner`)
  return {
    owner: owners[0],
    commandOnly: named("commandOnly"),
    hidden: named("hidden"),
    masked: Object.fromEntries(
      marked.flatMap(({ guard, name }) => (guard.kind === "masked" ? [[name, guard.roles ?? []] as const] : []))
    ),
    initial: Object.fromEntries(
      marked.flatMap(({ guard, name }) =>
        guard.initial === undefined ? [] : [[name, encode(name, guard.initial.value)] as const]
      )
    )
  }
}
