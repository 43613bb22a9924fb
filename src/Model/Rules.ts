/**
 * The rules of a model besides the types of its fields, and who may write it. They are checked when a command is
 * decided, however it arrives, and never when an event is applied (D2).
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { invariant } from "../Invariant.ts"
import type { EncodedRecord } from "./EncodedRecord.ts"
import { copyOf } from "./PlainJson.ts"

/** A rule returns true for a record that keeps it. A text tells the client what is wrong with the record. */
export type Rule<Row> = (record: Row) => boolean | string

/** One rule, or several. The names are the problem types of the answers. */
export type Rules<Row> = Rule<Row> | { readonly [name: string]: Rule<Row> }

/**
 * Who creates records of a model, and who changes and deletes them: `commands` refuses plain requests, `never` refuses
 * all.
 */
export interface Writes {
  readonly create: "anyone" | "commands"
  readonly change: "anyone" | "commands" | "never"
}

/** A field that holds the id of another model's record, and the effect on its own record when that one is deleted. */
export interface Reference {
  readonly field: string
  readonly model: string
  /**
   * `restrict`: a record cannot be deleted while others refer to it. `cascade`: the records that refer to it are
   * deleted too.
   */
  readonly onDelete: "restrict" | "cascade"
}

/** A rule that a record breaks. */
export interface BrokenRule {
  /** The problem type: the rule's own name, or {@link plainRule}. */
  readonly rule: string
  readonly message: string
}

/** The name of a model's only rule. */
export const plainRule = "rule-broken"

/** A message is answered, and remembered with a key, so a longer one is cut. */
const messageLengthMax = 500

/** Returns a function that finds the first broken rule of an encoded record, in the order of declaration. */
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
  // Rules run where commands are decided. A throw there would stop the node and, after a retry, the next one.
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

/** A rule that cannot run counts as broken. The message does not show what was thrown, since that may hold secrets. */
const unchecked = "The rule cannot be run on this record"

/** A type forbids a rule that waits. Where one does all the same, and fails, nobody hears of it but the process, which would end. */
const settled = (said: unknown): unknown => {
  if (said instanceof Promise) said.catch(() => unchecked)
  return said
}
