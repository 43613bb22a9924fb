/**
 * What must hold of every record of a model besides the types of its fields, and who may write it. Enforced where
 * commands are decided, whatever way they come; never where events are applied (D2).
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { invariant } from "../Invariant.ts"
import type { EncodedRecord } from "./Descriptor.ts"
import { copyOf } from "./PlainJson.ts"

/** Holds of a record where it gives true. A text says, to whoever wrote the record, what is wrong with it. */
export type Rule<Row> = (record: Row) => boolean | string

/** One rule, or several by the names of the problems that answer whoever breaks them. */
export type Rules<Row> = Rule<Row> | { readonly [name: string]: Rule<Row> }

/** Who makes records of a model, and who changes and deletes them: `commands` leaves requests out, `never` everybody. */
export interface Writes {
  readonly create: "anyone" | "commands"
  readonly change: "anyone" | "commands" | "never"
}

/** A field that holds the id of a record of another model, and what becomes of its own record when that one is deleted. */
export interface Reference {
  readonly field: string
  readonly model: string
  /** `restrict`: it is not deleted while it is referred to. `cascade`: those that refer to it are deleted with it. */
  readonly onDelete: "restrict" | "cascade"
}

/** A rule that a record does not keep. */
export interface BrokenRule {
  /** The name of the problem: the rule's own, or {@link plainRule}. */
  readonly rule: string
  readonly message: string
}

/** The name of the only rule of a model. */
export const plainRule = "rule-broken"

/** A message is answered, and remembered with a key: a longer one is cut. */
const messageLengthMax = 500

/** Which rule an encoded record breaks, if any: the first in the order in which they are declared. */
export const checkerOf = (
  model: string,
  schema: Schema.Top,
  rules: Rules<never> | undefined
): { readonly names: ReadonlyArray<string>; readonly check: (record: EncodedRecord) => BrokenRule | undefined } => {
  const named = Object.entries(typeof rules === "function" ? { [plainRule]: rules } : (rules ?? {}))
  for (const [name] of named) {
    invariant(/^[a-z][a-z0-9-]{0,63}$/.test(name), `Model "${model}": a rule is named in kebab case, not "${name}"`)
  }
  const names = named.map(([name]) => name)
  if (named.length === 0) return { names, check: () => undefined }
  const codec = Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, EncodedRecord>
  const decode = Schema.decodeUnknownResult(codec)
  // Rules run where commands are decided: what one throws there would stop the node, and, sent again, the next one.
  const ask = (run: () => unknown) =>
    Result.getOrElse(
      Result.try(() => settled(run())),
      () => unchecked
    )
  const check = (record: EncodedRecord): BrokenRule | undefined => {
    const decoded = Result.getOrElse(
      Result.try(() => decode(copyOf(record))),
      Result.fail
    )
    for (const [rule, holds] of named) {
      const said = Result.isFailure(decoded) ? unchecked : ask(() => holds(decoded.success as never))
      if (said === true) continue
      const message = typeof said === "string" ? said.slice(0, messageLengthMax) : `${model} does not keep this rule`
      return { rule, message }
    }
    return undefined
  }
  return { names, check }
}

/** What is not shown to hold is broken. What was thrown is not told, for it may hold anything. */
const unchecked = "The rule cannot be run on this record"

/** A type forbids a rule that waits. Where one does all the same, and fails, nobody hears of it but the process, which would end. */
const settled = (said: unknown): unknown => {
  if (said instanceof Promise) said.catch(() => unchecked)
  return said
}
