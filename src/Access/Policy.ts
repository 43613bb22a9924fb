/** What a node enforces besides the rules of its models. Pure data. A node without a policy is open. docs/access.md. */
import type { Rule } from "./Rule.ts"

/** Where the members of callers' sets are: `value` of the records of `model` whose `by` is the caller's id. */
export interface SetSource {
  readonly model: string
  readonly by: string
  readonly value: string
}

/** What a node enforces. */
export interface Policy {
  readonly sets: ReadonlyMap<string, SetSource>
  /** By the names of commands, who may call them. A command without a rule is nobody's. */
  readonly commands: ReadonlyMap<string, Rule>
  /** By the names of projections, who may read them. One without a rule is nobody's. */
  readonly projections: ReadonlyMap<string, Rule>
}
